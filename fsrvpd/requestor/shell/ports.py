"""What the shell needs of the requestor, and of those who come later."""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.shell.texts import ListedCopy


class FrozenWriters(NamedTuple):
    """What became of the writers of a set."""

    left_out: Sequence[Tuple[str, str]]  # name and reason of each that failed and may do so
    window: str  # for people; "" if nothing was frozen


class ShadowCopies(Protocol):
    """The shadow copies that this computer created, on all servers. Every method raises
    RequestorError."""

    def root(self, unc: str) -> ShareRoot:
        """The share to which a name leads."""

    def create(
        self,
        roots: Sequence[ShareRoot],
        context: int,
        writers: Mapping[str, bool],
        report: Callable[[FrozenWriters], None],
    ) -> Sequence[ListedCopy]:
        """The copies of a new set, in the order of the shares. One that fails leaves nothing.

        `writers`: components that take part, and whether it fails without one whatever else is
        said of it. `report` is told what became of them.
        """

    def listed(self) -> Sequence[ListedCopy]:
        """All copies that have a shadow copy share."""

    def delete(self, copy: ListedCopy) -> None: ...


class Writer(NamedTuple):
    """An application that is made consistent before its data is copied."""

    writer_id: str  # a GUID in `shown_guid`'s form
    name: str
    components: Tuple[str, ...] = ()  # names of sections of the configuration

    def called(self, name: str) -> Optional[Tuple[str, ...]]:
        """The components that are meant: all by the writer's name or ID, one by its own. None if
        the writer is not called so."""
        if name.casefold() in (self.name.casefold(), self.writer_id):
            return self.components
        found = [each for each in self.components if each.casefold() == name.casefold()]
        return tuple(found) or None
