"""Which snapshots and shadow copy shares exist, whatever the state says of them.

A volume that is not mounted is distinguished from one without snapshots: an empty directory
does not mean that something was deleted.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from functools import partial
from types import MappingProxyType
from typing import (
    Any,
    Callable,
    Collection,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    TypeVar,
)

from fsrvpd.daemon.bounded_calls import BoundedCalls, Call
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.exports.mounts import Exports
from fsrvpd.protocol.exports import key_for, key_in, name_of
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import (
    FoundSnapshot,
    LooksForMany,
    Provider,
    RemountsSnapshots,
    Share,
    ShareLocation,
    ShareRegistry,
    Snapshot,
)
from fsrvpd.providers.selection import Selection

log = logging.getLogger("fsrvpd.inventory")

SILENCE = 2.0  # s; a disk that is asleep takes longer, and is compared when it has answered
SEARCH_SILENCE = 30.0  # s, of storage that has just answered: a log may be recovered, or
# thousands of snapshots read
_BATCH = 16  # shares; on a slow disk they take less than SILENCE
NO_ANSWER = "its storage does not answer"

K = TypeVar("K")


class Volume(NamedTuple):
    """A volume that may have snapshots with fsrvpd's marker."""

    provider: str
    volume_name: str
    root: str


class Inventory(NamedTuple):
    """`gone` are known snapshots that do not exist although their volume is mounted;
    `unavailable` says why a known volume cannot be scanned. Shadow copy shares are by name,
    with the id of their copy; `paths` are those of shares whose snapshot was not found: of the
    live share's directory, or what the share exports where that is not known. `unclaimed` are
    found snapshots on volumes that no share and no set names. `mounts` are the exports that are
    mounted; `directories` those of shares, by the key of their exports. `silent` are the paths
    of volumes and shares whose storage does not answer: whatever is there was not found. `shared`
    are found on storage that several servers may use at a time, on the volumes `shared_roots`."""

    found: Sequence[FoundSnapshot]
    gone: frozenset[Snapshot]
    unavailable: Mapping[Volume, str]
    scanned: frozenset[str]  # roots of volumes
    shares: Mapping[str, str]
    paths: Mapping[str, str]
    unclaimed: frozenset[FoundSnapshot] = frozenset()
    exported: frozenset[str] = frozenset()  # ids of copies that Samba's own agent has shared
    mounts: Sequence[str] = ()
    directories: Mapping[str, str] = MappingProxyType({})
    silent: frozenset[str] = frozenset()
    shared: frozenset[FoundSnapshot] = frozenset()
    shared_roots: frozenset[str] = frozenset()


class Registry(ShareRegistry, Protocol):
    """Samba's shares, with all those that are no shadow copies."""

    def shares(self) -> Sequence[Share]: ...


class Locator(Protocol):
    """Where shares lie."""

    def locate(self, share: Share) -> ShareLocation: ...

    def storage_of(self, share: Share) -> str: ...


class _Searched(NamedTuple):
    """The snapshots of a volume; `all` of them unless a provider could not list its own."""

    found: list[FoundSnapshot]
    all: bool


class _Question(NamedTuple):
    """`path` is the one to name when the storage does not answer."""

    path: str
    call: Call


class _Storages:
    """Asks storage, and no more what was silent. For one inventory."""

    def __init__(self, calls: BoundedCalls) -> None:
        self._calls = calls
        self.silent: set[str] = set()

    def run(self, what: str, calls: Mapping[K, Call]) -> None:
        """Call functions and wait for those that return; the others are not silent for that."""
        self._calls.results({(what, key): call for key, call in calls.items()}, SILENCE)

    def ask(
        self, what: str, questions: Mapping[K, _Question], silence: Optional[float] = None
    ) -> dict[K, Any]:
        """The answers of those that answer."""
        asked = {
            (what, key): question
            for key, question in questions.items()
            if not is_below(question.path, self.silent)
        }
        calls = {name: question.call for name, question in asked.items()}
        answers = self._calls.results(calls, SILENCE if silence is None else silence)
        self.silent.update(asked[name].path for name in asked.keys() - answers.keys())
        return {key: answer for (_, key), answer in answers.items()}


class InventoryScanner:
    """Blocks on storage and registry, so it is called from a worker's thread; storage that hangs
    is waited for some seconds."""

    def __init__(
        self,
        selection: Selection,
        registry: Registry,
        locator: Locator,
        mount_points: Callable[[], Iterable[str]],
        volumes_at: Callable[[str], Sequence[str]],
        exports: Exports,
        is_shared: Callable[[str], bool],
        kept: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """`volumes_at` returns the roots of volumes that have snapshots with our marker, for one of
        `mount_points`; `is_shared` whether several servers may use a volume at a time; `kept` the
        ids of copies that an admin keeps, whatever their marks say."""
        self._selection = selection
        self._registry = registry
        self._locator = locator
        self._mount_points = mount_points
        self._volumes_at = volumes_at
        self._exports = exports
        self._kept = kept
        self._is_shared = is_shared
        self._calls = BoundedCalls("inventory")

    def close(self) -> None:
        self._calls.close()

    def when_silent_answers(self, done: Callable[[], None]) -> None:
        """Call a function, from any thread, when storage answers that was silent."""
        self._calls.when_one_returns(done)

    def scan(self, volumes: Iterable[Volume], snapshots: Iterable[Snapshot]) -> Inventory:
        """`volumes` and `snapshots` are those that the state knows; the volumes of all
        existing shares and all mounted volumes are scanned too. Raises: FsrvpdError when
        the registry cannot be read."""
        known, storages = set(volumes), _Storages(self._calls)
        unavailable = self._unavailable(storages, known)
        mounted = self._mounted(storages)
        live = self._registry.shares()
        locations = self._locations_of_shares(storages, live)
        directories = {key_for(each): each.directory for each in locations}
        available = known - set(unavailable)
        roots = {volume.root for volume in available} | {each.volume_root for each in locations}
        searched = self._search(storages, [*sorted(roots), *mounted])
        found_at = {root: each.found for root, each in searched.items()}
        found = [each for root in sorted(roots) for each in found_at.get(root, [])]
        elsewhere = [
            each for root in mounted if root not in roots for each in found_at.get(root, [])
        ]
        unclaimed = _not_among(found, elsewhere)
        found += unclaimed
        self._remount(storages, found_at, found)
        gone = self._gone(storages, snapshots, available)
        unavailable.update(
            {each: NO_ANSWER for each in known if is_below(each.root, storages.silent)}
        )
        shared_roots = frozenset(filter(self._is_shared, found_at))
        shares = self._registry.shadow_shares()
        ids = {each.shadow_copy_id for each in found}
        return Inventory(
            found,
            gone,
            unavailable,
            scanned=frozenset(root for root in roots & searched.keys() if searched[root].all),
            shares=shares,
            paths=self._paths(
                [name for name, copy_id in shares.items() if copy_id not in ids], directories
            ),
            unclaimed=frozenset(unclaimed),
            exported=_exported(live, (each for each in found if each.shadow_copy_set_id == NO_SET)),
            mounts=self._exports.mounted(),
            directories=directories,
            silent=frozenset(storages.silent),
            shared=frozenset(each for root in shared_roots for each in found_at[root]),
            shared_roots=shared_roots,
        )

    def _unavailable(self, storages: _Storages, volumes: Iterable[Volume]) -> dict[Volume, str]:
        """Why volumes of the state cannot be scanned, of those that answer."""
        questions = {
            each: _question(each.root, partial(self._unavailability, each)) for each in volumes
        }
        answers: dict[Volume, str] = storages.ask("volume", questions)
        return {volume: why for volume, why in answers.items() if why}

    def _mounted(self, storages: _Storages) -> list[str]:
        """The roots of mounted volumes with snapshots."""
        questions = {
            each: _question(each, partial(self._volumes_at, each)) for each in self._mount_points()
        }
        answers = storages.ask("mount", questions)
        return [root for each in questions for root in answers.get(each, ())]

    def _locations_of_shares(
        self, storages: _Storages, shares: Sequence[Share]
    ) -> list[ShareLocation]:
        """Several by one call, which takes longer to hand over than a look-up takes. Those of which
        one hangs are then asked one by one, so that only it is silent."""
        of_storage = defaultdict(list)
        for share in shares:
            if not is_below(share.path, storages.silent):
                of_storage[self._locator.storage_of(share)].append(share)
        found: dict[str, Optional[ShareLocation]] = {}
        storages.run(
            "shares",
            {
                batch[0].name: Call(storage, partial(self._locate_all, batch, found))
                for storage, on_it in of_storage.items()
                for batch in (on_it[at : at + _BATCH] for at in range(0, len(on_it), _BATCH))
            },
        )
        left = (share for on_it in of_storage.values() for share in on_it)
        questions = {
            share.name: _Question(
                share.path,
                Call(self._locator.storage_of(share), partial(self._location, share)),
            )
            for share in left
            if share.name not in found
        }
        found = {**found, **storages.ask("share", questions)}
        return [each for each in map(found.get, [share.name for share in shares]) if each]

    def _search(self, storages: _Storages, roots: Iterable[str]) -> dict[str, _Searched]:
        questions = {root: _question(root, partial(self._find, root)) for root in roots}
        return storages.ask("snapshots", questions, SEARCH_SILENCE)

    def _remount(
        self,
        storages: _Storages,
        found_at: Mapping[str, Sequence[FoundSnapshot]],
        found: Iterable[FoundSnapshot],
    ) -> None:
        """A snapshot that has to be mounted is not after a reboot, and would seem to be gone."""
        roots = {each: root for root, snapshots in found_at.items() for each in snapshots}
        of_volume = defaultdict(list)
        for each in found:
            if each.readable:
                of_volume[each.snapshot.volume_name].append(each)
        questions = {
            name: _question(roots[snapshots[0]], partial(self._bring_up, snapshots))
            for name, snapshots in of_volume.items()
        }
        storages.ask("mounts of", questions, SEARCH_SILENCE)

    def _gone(
        self, storages: _Storages, snapshots: Iterable[Snapshot], available: Iterable[Volume]
    ) -> frozenset[Snapshot]:
        of_volume = defaultdict(list)
        for each in snapshots:
            of_volume[each.volume_name, each.provider].append(each)
        questions = {
            volume: _question(
                volume.root,
                partial(self._gone_of, of_volume[volume.volume_name, volume.provider]),
            )
            for volume in available
        }
        answers = storages.ask("gone from", questions, SEARCH_SILENCE)
        return frozenset(each for gone in answers.values() for each in gone)

    def _paths(self, shares: Iterable[str], directories: Mapping[str, str]) -> dict[str, str]:
        paths = {}
        for name in shares:
            share = self._registry.share(name)
            if share is not None:
                paths[name] = directories.get(key_in(share.path), share.path)
        return paths

    # In threads.

    def _unavailability(self, volume: Volume) -> str:
        """Why a volume of the state cannot be scanned, empty when it can."""
        try:
            name, _ = self._selection.provider(volume.provider).locate(volume.root)
        except FsrvpdError as error:
            return str(error)
        if name != volume.volume_name:
            return f"{volume.root}: {name} is mounted there, not {volume.volume_name}"
        return ""

    def _location(self, share: Share) -> Optional[ShareLocation]:
        try:
            return self._locator.locate(share)
        except FsrvpdError as error:
            log.debug("no volume of share %s: %s", share.name, error)
            return None

    def _locate_all(
        self, shares: Iterable[Share], found: dict[str, Optional[ShareLocation]]
    ) -> None:
        for share in shares:
            found[share.name] = self._location(share)

    def _find(self, root: str) -> _Searched:
        """By all providers: a share may have used another one before."""
        found: list[FoundSnapshot] = []
        failures: list[Exception] = []
        for provider in self._selection.all():
            try:
                if self._is_root_for(provider, root):
                    found += provider.find([root])
            except FsrvpdError as error:
                failures.append(error)
            except Exception as error:  # whatever is on one disk, the others are looked at
                log.exception("provider %s cannot read %s; please report this", provider.name, root)
                failures.append(error)
        if failures:
            log.error("snapshots on a volume cannot be listed, so none is missed: %s", failures[0])
        kept = self._kept()
        found = [each._replace(keep=each.keep or each.shadow_copy_id in kept) for each in found]
        return _Searched(found, not failures)

    def _is_root_for(self, provider: Provider, root: str) -> bool:
        """Raises: StorageError if the volume is out of reach, so that nobody knows."""
        try:
            return provider.locate(root)[1] == root
        except StorageError as error:
            if error.out_of_reach:
                raise
            log.debug("provider %s finds nothing at %s: %s", provider.name, root, error)
            return False

    def _bring_up(self, found: Iterable[FoundSnapshot]) -> None:
        for each in found:
            try:
                provider = self._selection.provider(each.snapshot.provider)
                if isinstance(provider, RemountsSnapshots):
                    provider.bring_up(each.snapshot)
            except FsrvpdError as error:
                log.error("snapshot %s cannot be read: %s", each.snapshot.root, error)

    def _gone_of(self, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
        """Those of one volume and one provider that are gone."""
        provider = self._selection.provider(snapshots[0].provider) if snapshots else None
        if isinstance(provider, LooksForMany):
            try:
                return list(provider.missing(snapshots))
            except FsrvpdError as error:
                log.error("snapshots of %s: %s", snapshots[0].volume_name, error)
                return []
        return [each for each in snapshots if self._is_gone(each)]

    def _is_gone(self, snapshot: Snapshot) -> bool:
        """Only what its provider knows to be gone is forgotten."""
        try:
            return not self._selection.provider(snapshot.provider).exists(snapshot)
        except FsrvpdError as error:
            log.error("snapshot %s: %s", snapshot.root, error)
        except Exception:
            log.exception("snapshot %s cannot be looked for; please report this", snapshot.root)
        return False


def _exported(shares: Iterable[Share], found: Iterable[FoundSnapshot]) -> frozenset[str]:
    """The ids of those that a share exports."""
    by_name = {name_of(each.snapshot): each.shadow_copy_id for each in found}
    names = {name for share in shares for name in share.path.split("/")} if by_name else set()
    return frozenset(by_name[name] for name in names & set(by_name))


def _identity(found: FoundSnapshot) -> tuple[str, str]:
    return found.snapshot.volume_name, found.shadow_copy_id


def _not_among(
    known: Iterable[FoundSnapshot], found: Iterable[FoundSnapshot]
) -> list[FoundSnapshot]:
    """A volume can be mounted several times: what was found below a root that a set or a share
    names is not counted again."""
    seen = {_identity(each) for each in known}
    new = {_identity(each): each for each in reversed(list(found))}
    return [each for identity, each in reversed(list(new.items())) if identity not in seen]


def _question(root: str, function: Callable[[], Any]) -> _Question:
    return _Question(root, Call(root, function))


def is_below(path: str, roots: Collection[str]) -> bool:
    while roots and path not in roots and path not in ("", "/"):
        path = os.path.dirname(path)
    return path in roots
