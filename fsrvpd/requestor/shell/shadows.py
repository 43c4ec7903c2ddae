"""ADD VOLUME, CREATE, LIST SHADOWS and DELETE SHADOWS."""

from __future__ import annotations

from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from fsrvpd.core.messages import parse_guid
from fsrvpd.protocol.context import is_persistent
from fsrvpd.protocol.unc import UncName, normal_share, parse_unc
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.shell import metadata, texts
from fsrvpd.requestor.shell.lines import WrongWord
from fsrvpd.requestor.shell.ports import FrozenWriters, ShadowCopies
from fsrvpd.requestor.shell.settings import Aliases, Settings, check_name
from fsrvpd.requestor.shell.statements import AddVolume, Selection
from fsrvpd.requestor.shell.texts import ListedCopy, shown_guid
from fsrvpd.terminal import one_line


class Volume(NamedTuple):
    root: ShareRoot
    alias: Optional[str]


class Shadows:
    """The shares of the next set, and the copies that there are."""

    def __init__(
        self,
        copies: ShadowCopies,
        output: Callable[[str], None],
        aliases: Aliases,
        machine: str,
    ) -> None:
        self._copies = copies
        self._print = output
        self._aliases = aliases
        self._machine = machine
        self.volumes: list[Volume] = []
        self.last: Sequence[ListedCopy] = ()  # of the last set that was created here
        self._volatile: set[str] = set()  # IDs of the sets that end with the session

    def add(self, volume: AddVolume) -> ShareRoot:
        """Raises: RequestorError."""
        if volume.provider and _is_foreign(volume.provider):
            raise WrongWord(
                volume.provider,
                "no provider here has this ID",
                f"leave PROVIDER out: {texts.PROVIDER_ID} is the only one",
            )
        if volume.alias:
            check_name(volume.alias)
        root = self._copies.root(volume.unc)
        for other in self.volumes:
            if key(other.root.unc) == key(root.unc):
                raise WrongWord(volume.unc, "its share was added before", "remove the line")
            if volume.alias and (other.alias or "").casefold() == volume.alias.casefold():
                raise WrongWord(volume.alias, "another share has this alias", "choose another")
        self.volumes.append(Volume(root, volume.alias))
        return root

    def create(
        self, settings: Settings, writers: Mapping[str, bool], writer_ids: Sequence[str]
    ) -> None:
        """Creates the set of all volumes, describes it in the metadata file, and lists it. The next
        set begins without volumes. `writers` are those of `ShadowCopies.create`, `writer_ids` go
        into the description. Raises: RequestorError; then there is no set."""
        if not self.volumes:
            raise WrongWord("CREATE", "no share was added", r"type ADD VOLUME \\SERVER\SHARE")
        roots = [volume.root for volume in self.volumes]

        def report(frozen: FrozenWriters) -> None:
            for name, reason in frozen.left_out:
                self._print(texts.left_out(name, reason))
            if settings.verbose and frozen.window:
                self._print(one_line(f"All {frozen.window}."))

        created = self._copies.create(roots, settings.context, writers, report)
        if not is_persistent(settings.context):
            self._volatile.add(created[0].set_id)
        self.last = created
        self._set_aliases()
        if settings.metadata:
            self._describe(settings, writer_ids)
        self.volumes.clear()
        self._show(Selection("set", created[0].set_id), self.last)

    def _set_aliases(self) -> None:
        for number, (volume, copy) in enumerate(zip(self.volumes, self.last), 1):
            name = volume.alias or texts.SHADOW_ALIAS.format(number)
            self._aliases.set(name, copy.copy_id)
            self._print(texts.alias_set(name, "shadow", copy.copy_id))
        set_id = self.last[0].set_id
        self._aliases.set(texts.SET_ALIAS, set_id)
        self._print(texts.alias_set(texts.SET_ALIAS, "shadow set", set_id))

    def _describe(self, settings: Settings, writer_ids: Sequence[str]) -> None:
        """Raises: RequestorError, after deleting a set of which there is no description."""
        description = metadata.Metadata(
            self.last[0].set_id,
            settings.context,
            self._machine,
            self.last,
            self._aliases.named(),
            writer_ids,
        )
        try:
            metadata.write(settings.metadata, description)
        except RequestorError:
            for copy in self.last:
                self._copies.delete(copy)
            raise
        if settings.verbose:
            self._print(f"Wrote metadata file {settings.metadata}.")

    def show(self, which: Selection) -> None:
        """Raises: WrongWord if no copy or set has the ID."""
        self._show(which, list(self._selected(which)))

    def _show(self, which: Selection, copies: Sequence[ListedCopy]) -> None:
        self._print("\n" + texts.query(which.kind, which.value))
        self._print(texts.listing(copies, self._aliases.by_value(), self._machine))

    def delete(self, which: Selection) -> None:
        """Raises: RequestorError for the first copy that is not deleted; WrongWord if no copy or
        set has the ID."""
        number = 0
        for copy in self._selected(which):
            self._print(texts.deleting(copy))
            self._copies.delete(copy)
            number += 1
        self._print(texts.deleted(number))

    def paths(self, kind: str) -> list[str]:
        """The values that a selection may have: volumes, or for "exposed" shadow copy shares."""
        copies = self._copies.listed()
        found = (copy.device if kind == "exposed" else copy.volume for copy in copies)
        return list(dict.fromkeys(found))

    def delete_volatile(self) -> None:
        """All copies that end with the session, whatever happens to one of them. Raises:
        RequestorError for the first that is not deleted."""
        faults = {}
        for copy in self._copies.listed() if self._volatile else ():
            if copy.set_id in self._volatile:
                try:
                    self._copies.delete(copy)
                except RequestorError as error:
                    faults[copy.set_id] = error
        self._volatile.intersection_update(faults)
        if faults:
            raise next(iter(faults.values()))

    def _selected(self, which: Selection) -> Iterator[ListedCopy]:
        """Raises: WrongWord."""
        copies = list(self._copies.listed())
        if which.kind in ("volume", "oldest"):
            copies = self._of_volume(which.value, copies)
            copies = sorted(copies, key=lambda copy: copy.created)
            yield from copies[:1] if which.kind == "oldest" else copies
            return
        if which.kind != "all":
            copies = [copy for copy in copies if _named(copy, which)]
            if not copies:
                raise WrongWord(which.value, *_UNKNOWN[which.kind])
        yield from copies

    def _of_volume(self, unc: str, copies: Sequence[ListedCopy]) -> list[ListedCopy]:
        """Without asking a server where the name alone says it: the server may be gone."""
        found = [copy for copy in copies if key(copy.volume) == key(unc)]
        if found or not copies:
            return found
        root = key(self._copies.root(unc).unc)
        return [copy for copy in copies if key(copy.volume) == root]


_LIST = "type LIST SHADOWS ALL"
_UNKNOWN = {
    "id": ("this computer created no shadow copy with this ID", _LIST),
    "set": ("this computer created no shadow copy set with this ID", _LIST),
    "exposed": (
        "no shadow copy has this path",
        f"{_LIST}; the path of a copy is its shadow copy device name",
    ),
}


def _named(copy: ListedCopy, which: Selection) -> bool:
    if which.kind == "exposed":
        return key(copy.device) == key(which.value)
    return which.value == (copy.set_id if which.kind == "set" else copy.copy_id)


def key(unc: str) -> UncName:
    """A share's name as it is compared. What is no name of a share is equal to itself only."""
    try:
        name = parse_unc(unc)
    except ValueError:
        return UncName("", unc)
    return name._replace(share=normal_share(name.share))


def _is_foreign(provider: str) -> bool:
    try:
        return shown_guid(parse_guid(provider)) != texts.PROVIDER_ID
    except ValueError:
        return True
