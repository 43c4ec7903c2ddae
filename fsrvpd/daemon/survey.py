"""What stands on the disks and in Samba's registry, whatever the state says of it.

A volume that is not at hand is told apart from one without snapshots: nobody concludes
from an empty directory that something was deleted.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, Iterable, Iterator, Mapping, NamedTuple, Protocol, Sequence

from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import BringsUp, Found, Share, SharePlace, ShareRegistry, Snapshot
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.survey")


class Volume(NamedTuple):
    """Where snapshots of ours may be."""

    provider: str
    volume_name: str
    root: str


class Survey(NamedTuple):
    """`gone` are the known snapshots that are not there although their volume is;
    `absent` says of a known volume why it cannot be looked at. Shadow copy shares are
    by name, with the id of their copy; `paths`: what those export whose snapshot was not
    found. `elsewhere` are those of the found that stand where no share and no set leads."""

    found: Sequence[Found]
    gone: frozenset[Snapshot]
    absent: Mapping[Volume, str]
    looked_at: frozenset[str]  # roots of volumes
    shares: Mapping[str, str]
    paths: Mapping[str, str]
    elsewhere: frozenset[Found] = frozenset()
    exported: frozenset[str] = frozenset()  # ids of copies that Samba's own agent has shared


class Registry(ShareRegistry, Protocol):
    """Samba's shares, with the list of those that are no shadow copies."""

    def share_names(self) -> Sequence[str]: ...


class Places(Protocol):
    """Where shares lie."""

    def place(self, share: Share) -> SharePlace: ...


class Surveyor:
    """Blocks on disks and registry, so it is called from a worker's thread."""

    def __init__(
        self,
        selection: Selection,
        registry: Registry,
        places: Places,
        mounted: Callable[[], Iterable[str]],
    ) -> None:
        """`mounted` are the roots of volumes that hold something of ours, named or not."""
        self._selection = selection
        self._registry = registry
        self._places = places
        self._mounted = mounted

    def look(self, volumes: Iterable[Volume], snapshots: Iterable[Snapshot]) -> Survey:
        """`volumes` and `snapshots` are those that the state knows; the volumes of all
        present shares are looked at too, and what is mounted. Raises: FsrvpdError when
        nothing can be told."""
        known = set(volumes)
        absent = {volume: why for volume in known if (why := self._absence(volume))}
        at_hand = known - set(absent)
        roots = {volume.root for volume in at_hand} | self._roots_of_shares()
        found = [each for root in sorted(roots) for each in self._find(root)]
        elsewhere = self._find_elsewhere(roots, found)
        found += elsewhere
        self._bring_up(found)
        names = {(volume.volume_name, volume.provider) for volume in at_hand}
        gone = frozenset(
            each
            for each in snapshots
            if (each.volume_name, each.provider) in names and not os.path.lexists(each.root)
        )
        shares = self._registry.shadow_shares()
        ids = {each.shadow_copy_id for each in found}
        paths = self._paths(name for name, copy_id in shares.items() if copy_id not in ids)
        looked_at = frozenset(roots)
        exported = self._exported(each for each in found if each.shadow_copy_set_id == NO_SET)
        return Survey(found, gone, absent, looked_at, shares, paths, frozenset(elsewhere), exported)

    def _absence(self, volume: Volume) -> str:
        """Why a volume of the state is not at hand, empty when it is."""
        try:
            name, _ = self._selection.provider(volume.provider).locate(volume.root)
        except FsrvpdError as error:
            return str(error)
        if name != volume.volume_name:
            return f"{volume.root}: {volume.volume_name} is not mounted there, {name} is"
        return ""

    def _roots_of_shares(self) -> set[str]:
        roots = set()
        for name in self._registry.share_names():
            try:
                share = self._registry.share(name)
                if share is not None:
                    roots.add(self._places.place(share).volume_root)
            except FsrvpdError as error:
                log.debug("no volume of share %s: %s", name, error)
        return roots

    def _find_elsewhere(self, roots: set[str], known: Sequence[Found]) -> list[Found]:
        """A volume can be mounted at several places: what was found by a name of the state
        or of a share is not found again."""
        seen = {_identity(each) for each in known}
        elsewhere = []
        for root in self._mounted():
            if root not in roots:
                new = [each for each in self._find(root) if _identity(each) not in seen]
                seen.update(map(_identity, new))
                elsewhere += new
        return elsewhere

    def _exported(self, found: Iterable[Found]) -> frozenset[str]:
        """The ids of those to which a share leads."""
        by_path = {os.path.normpath(each.snapshot.root): each.shadow_copy_id for each in found}
        if not by_path:
            return frozenset()
        shares = (self._registry.share(name) for name in self._registry.share_names())
        paths = [os.path.normpath(share.path) for share in shares if share is not None]
        above = {place for path in paths for place in _above(path) if place in by_path}
        return frozenset(by_path[place] for place in above)

    def _find(self, root: str) -> list[Found]:
        """By all providers: a share may have been served by another one before."""
        found: list[Found] = []
        for provider in self._selection.all():
            try:
                if provider.locate(root)[1] == root:
                    found += provider.find([root])
            except FsrvpdError as error:
                log.debug("provider %s has nothing at %s: %s", provider.name, root, error)
        return found

    def _bring_up(self, found: Iterable[Found]) -> None:
        """What is mounted to be read, is not after a reboot; then it would seem to be gone."""
        for each in found:
            try:
                provider = self._selection.provider(each.snapshot.provider)
                if isinstance(provider, BringsUp):
                    provider.bring_up(each.snapshot)
            except FsrvpdError as error:
                log.error("snapshot %s cannot be read: %s", each.snapshot.root, error)

    def _paths(self, shares: Iterable[str]) -> dict[str, str]:
        paths = {}
        for name in shares:
            share = self._registry.share(name)
            if share is not None:
                paths[name] = share.path
        return paths


def _above(path: str) -> Iterator[str]:
    """A path and every directory above it."""
    while True:
        yield path
        if path in ("", "/"):
            return
        path = os.path.dirname(path)


def _identity(found: Found) -> tuple[str, str]:
    return found.snapshot.volume_name, found.shadow_copy_id
