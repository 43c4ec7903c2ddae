"""The words of a message that has options: `--flag`, `--option=value`, and names."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

from fsrvpd.errors import FsrvpdError


class Parameters(NamedTuple):
    names: tuple[str, ...]
    flags: frozenset[str] = frozenset()  # without their dashes, as the names of values
    values: Mapping[str, str] = {}
    usage: str = ""

    @classmethod
    def read(
        cls,
        words: Sequence[str],
        usage: str,
        flags: Sequence[str] = (),
        values: Sequence[str] = (),
    ) -> Parameters:
        """Options come first; after `--` every word is a name. Raises: FsrvpdError."""
        rest, found, given = list(words), set[str](), dict[str, str]()
        while rest and rest[0].startswith("--"):
            word = rest.pop(0)
            if word == "--":
                break
            name, equals, value = word[2:].partition("=")
            if name in flags and not equals:
                found.add(name)
            elif name in values and equals:
                given[name] = value
            else:
                raise FsrvpdError(f"{word}: no such option; usage: {usage}")
        return cls(tuple(rest), frozenset(found), given, usage)

    def only_name(self) -> str:
        """The one name. Raises: FsrvpdError when there is another number of them."""
        if len(self.names) != 1:
            raise FsrvpdError(f"usage: {self.usage}")
        return self.names[0]

    def no_names(self) -> None:
        """Raises: FsrvpdError when there is one."""
        if self.names:
            raise FsrvpdError(f"usage: {self.usage}")
