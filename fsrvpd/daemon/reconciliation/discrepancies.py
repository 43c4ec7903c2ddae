"""Compares state, storage and registry, and says what does not fit and what to do about it.

A snapshot or share with our marker that belongs to no set is removed, what a set has lost is
repaired where that is possible, and what is in doubt is kept and reported: a snapshot on a
volume that is not available, of another server or of another state file (this server's was
lost or replaced, or another node of a cluster has it), one that is to be kept, one that was
taken for Samba's own agent, and everything on volumes that no share and no set names. No
clock is asked: it may have been wrong then, or be wrong now.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Optional

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.daemon.reconciliation.inventory import Inventory, Volume, is_below
from fsrvpd.protocol.exports import Export, key_of
from fsrvpd.protocol.model import NO_SET, MappedShare, ShadowCopy, ShadowCopySet
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot
from fsrvpd.protocol.unc import normal_share

# What does not fit: the event that reports it has the same name.
ORPHAN_SNAPSHOT = "orphan-snapshot"
ORPHAN_SHARE = "orphan-share"
SNAPSHOT_GONE = "snapshot-gone"
SHARE_GONE = "share-gone"
VOLUME_ABSENT = "volume-absent"
VOLUME_SILENT = "volume-silent"
ORPHAN_MOUNT = "orphan-mount"
MOUNT_GONE = "mount-gone"
KINDS = (
    *(ORPHAN_SNAPSHOT, ORPHAN_SHARE, ORPHAN_MOUNT),
    *(SNAPSHOT_GONE, SHARE_GONE, MOUNT_GONE),
    *(VOLUME_ABSENT, VOLUME_SILENT),
)

# What is done about it.
REMOVE, FORGET_COPY, RECREATE_SHARE, KEEP = "remove", "forget", "recreate", "keep"
MOUNT = "mount"
ACTIONS = frozenset({REMOVE, FORGET_COPY, RECREATE_SHARE, KEEP, MOUNT})

_ELSEWHERE = (
    "another node of the cluster, or another server of this name, may have it in a set: run"
    " fsrvpctl fsrvpd prune there; if no other fsrvpd of this name exists any more, fsrvpctl"
    " fsrvpd prune --even-shared removes it"
)
_MOUNT_ANEW = "mount it anew"  # as the provider says of a volume that is mounted and out of reach
_UNSHARED = (
    "it was taken for Samba's own agent, and no share uses it; fsrvpctl fsrvpd prune removes it"
)
_SILENT = (
    "its storage does not answer, so its copies may be out of reach, and nothing is concluded"
    " about them; they are looked at when it answers: repair it, or unmount it (umount --lazy)"
)
_UNCLAIMED = (
    "no share uses its volume, which may be a clone of another volume; share a directory on it"
    " and run fsrvpctl fsrvpd prune, or remove it by hand"
)


class Discrepancy(NamedTuple):
    """Something that does not fit. `kind` and `action` are identifiers, `object` and `reason`
    are for people; the rest is what the action needs."""

    kind: str
    object: str
    reason: str
    action: str
    shadow_copy_set_id: Optional[Guid] = None
    shadow_copy_id: Optional[Guid] = None
    names: tuple[str, ...] = ()
    snapshot: Optional[Snapshot] = None
    export: Optional[Export] = None  # of no set; those of a set are its `names`


class KnownState(NamedTuple):
    """What the state knows, sets under removal included: ids of copies, and of sets that
    cannot be read, in registry form; names of shadow copy shares in `normal_share`'s form."""

    copies: frozenset[str]
    unreadable: frozenset[str]
    shares: frozenset[str]

    @classmethod
    def of(cls, sets: Iterable[ShadowCopySet], unreadable: Iterable[Guid]) -> KnownState:
        listed = list(sets)
        ids = [copy.shadow_copy_id for each in listed for copy in each.shadow_copy_list]
        names = frozenset(normal_share(name) for each in listed for name in each.exposed_names)
        return cls(frozenset(map(format_guid, ids)), frozenset(map(format_guid, unreadable)), names)

    def has_copy_named(self, name: str) -> bool:
        """Whether a snapshot with this name belongs to a known copy, or may do so."""
        return bool(self.unreadable) or copy_id_in(name) in self.copies

    def union(self, other: KnownState) -> KnownState:
        return KnownState(*(mine | others for mine, others in zip(self, other)))


def copy_id_in(name: str) -> str:
    """The id, in registry form, of the copy whose snapshot has this name."""
    bare_id = name.partition("_GMT-")[0].partition("-")[2].strip("{}")
    return f"{{{bare_id}}}"


class RetentionPolicy(NamedTuple):
    """What keeps an orphan snapshot from being removed. `state` is the id of the state file;
    `everything`: an admin wants snapshots of another state file removed as well. `former` is an
    earlier name of this server, "" for none. What is on storage that several servers may use at a
    time (`shared`) goes only if this state file knew it, or if `even_shared`: the nodes of a
    cluster have one name, and a former name may be that of another server by now."""

    server: str
    state: str
    everything: bool
    former: str = ""
    even_shared: bool = False
    shared: frozenset[FoundSnapshot] = frozenset()

    def reason_to_keep(self, found: FoundSnapshot) -> str:
        """Why a snapshot that no set knows is kept; empty when it may be removed."""
        if not found.readable:
            return "another version of fsrvpd took it, and can remove it"
        if found.server.lower() != self.server.lower():
            foreign = self._why_foreign(found)
            if foreign:
                return foreign
        if found.keep and found.shadow_copy_set_id != NO_SET:
            return self._why_kept(found)
        if found.state != self.state and found in self.shared and not self.even_shared:
            return _ELSEWHERE
        if found.shadow_copy_set_id == NO_SET:
            return "" if self.everything else _UNSHARED
        if not self.everything and found.state != self.state:
            return (
                "another state file knew it, which may have been lost or moved; put that file"
                " back, or remove the snapshot with fsrvpctl fsrvpd prune"
            )
        return ""

    def _why_kept(self, found: FoundSnapshot) -> str:
        if found.server.lower() != self.server.lower():
            return (
                f"it was to be kept when this server was {found.server}, and neither retention nor"
                " delete-kept knows that server: delete it with the tools of its file system"
            )
        return "fsrvp:keep or `keep-set` keeps it; `fsrvpctl fsrvpd list-kept` says until when"

    def _why_foreign(self, found: FoundSnapshot) -> str:
        """Why the snapshot of another server is not ours; "" if we were that server."""
        prune = f"fsrvpctl fsrvpd prune --server {shlex.quote(found.server)}"
        if not self.former or found.server.lower() != self.former.lower():
            return (
                f"it belongs to server {found.server}; if that is an earlier name of this server,"
                f" {prune} --dry-run shows what would be removed"
            )
        if found in self.shared and not self.even_shared:
            return (
                f"it belongs to server {found.server}, and several servers may use its storage at a"
                f" time; if no server has that name now, {prune} --even-shared removes it"
            )
        return ""


def orphans(
    inventory: Inventory, known: KnownState, policy: RetentionPolicy
) -> Iterator[Discrepancy]:
    """Snapshots and shares with our marker that no set knows; shares first, since they are
    removed first."""
    of_unreadable = {
        found.shadow_copy_id
        for found in inventory.found
        if found.shadow_copy_set_id in known.unreadable
    }
    excluded = known.copies | of_unreadable | inventory.exported
    unknown = [
        (found, _UNCLAIMED if found in inventory.unclaimed else policy.reason_to_keep(found))
        for found in inventory.found
        if found.shadow_copy_id not in excluded
    ]
    reasons = {found.shadow_copy_id: "" for found in inventory.found}
    reasons.update({found.shadow_copy_id: why for found, why in unknown})
    for name, copy_id in inventory.shares.items():
        if normal_share(name) not in known.shares and copy_id not in of_unreadable:
            why = reasons.get(copy_id)
            if why is None:
                why = _unavailability(inventory, name, even_shared=policy.even_shared)
            yield _orphan_share(name, why)
    for found, why in unknown:
        yield _orphan_snapshot(found, why)


def mounts(
    inventory: Inventory, known: KnownState, policy: RetentionPolicy
) -> Iterator[Discrepancy]:
    """Exports that nothing needs, and those of kept snapshots of no set that are missing. A
    mount of a snapshot that is removed is removed with it."""
    kept = {}
    standing = {found.shadow_copy_id for found in inventory.found}
    shared = set(inventory.shares.values())
    for found in inventory.found:
        key = key_of(found.snapshot.volume_name, found.path, found.share)
        needed = found.keep or (found.shadow_copy_id in shared and policy.reason_to_keep(found))
        needed = needed and found.readable  # no provider opens one of another version
        if needed and key in inventory.directories and found not in inventory.unclaimed:
            directory = inventory.directories[key]
            export = Export(found.share, directory, found.path, found.snapshot, handle=found.handle)
            kept[export.mount_point] = found.shadow_copy_id, export
    for path in () if inventory.silent else inventory.mounts:
        name = path.rpartition("/")[2]
        if path not in kept and copy_id_in(name) not in standing and not known.has_copy_named(name):
            yield Discrepancy(ORPHAN_MOUNT, path, "nothing needs this mount", REMOVE)
    for path, (copy_id, export) in kept.items():
        if path not in inventory.mounts and copy_id not in known.copies:
            why = f"this kept snapshot of share {export.share} is not mounted, as after a reboot"
            yield Discrepancy(MOUNT_GONE, path, why, MOUNT, export=export)


def _unavailability(inventory: Inventory, name: str, *, even_shared: bool) -> str:
    """Why it is unknown whether a share's snapshot is gone; empty when it is known. Another node
    may have made both meanwhile, or have its snapshots where only it finds them."""
    if inventory.silent:
        return f"the storage of {', '.join(sorted(inventory.silent))} does not answer"
    path = inventory.paths.get(name, "")
    if is_below(path, inventory.shared_roots) and not even_shared:
        return _ELSEWHERE
    return "" if is_below(path, inventory.scanned) else "its volume is not mounted"


def _orphan_snapshot(found: FoundSnapshot, why: str) -> Discrepancy:
    text = f"no set knows this snapshot of share {found.share}"
    action = KEEP if why else REMOVE
    reason = f"{text}; {why}" if why else text
    return Discrepancy(
        ORPHAN_SNAPSHOT, found.snapshot.root, reason, action, snapshot=found.snapshot
    )


def _orphan_share(name: str, why: str) -> Discrepancy:
    text = f"no set knows this share; its snapshot is kept: {why}" if why else "no set knows it"
    return Discrepancy(ORPHAN_SHARE, name, text, KEEP if why else REMOVE, names=(name,))


def silent(inventory: Inventory) -> Iterator[Discrepancy]:
    """Volumes and shares whose storage hangs."""
    for path in sorted(inventory.silent):
        yield Discrepancy(VOLUME_SILENT, path, _SILENT, KEEP)


def missing(inventory: Inventory, sets: Iterable[ShadowCopySet]) -> Iterator[Discrepancy]:
    """What exposed sets without a running job have lost. A volume that is absent is told once."""
    absent = set()
    names = {normal_share(name) for name in inventory.shares}
    for shadow_copy_set in sets:
        set_id = shadow_copy_set.shadow_copy_set_id
        copies = [
            copy
            for copy in shadow_copy_set.shadow_copy_list
            if not is_below(copy.location.volume_root, inventory.silent)
        ]
        lost = {copy.shadow_copy_id: _lost_snapshot(inventory, copy) for copy in copies}
        for discrepancy in lost.values():
            if discrepancy is None:
                continue
            if discrepancy.kind != VOLUME_ABSENT:
                yield discrepancy._replace(shadow_copy_set_id=set_id)
            elif discrepancy not in absent:
                absent.add(discrepancy)
                yield discrepancy
        shares = tuple(
            mapped.shadow_copy_share_name
            for copy in copies
            for mapped in copy.share_mapping_list
            if lost[copy.shadow_copy_id] is None and _is_missing(mapped, names)
        )
        paths = tuple(
            export.mount_point
            for copy in copies
            for mapped in copy.share_mapping_list
            if lost[copy.shadow_copy_id] is None and mapped.is_exposed and not mapped.deleting
            if (export := copy.export(mapped)) and export.mount_point not in inventory.mounts
        )
        if paths:
            why = "it is not mounted, as after a reboot"
            yield Discrepancy(MOUNT_GONE, ", ".join(paths), why, MOUNT, set_id, names=paths)
        if shares:
            why = "somebody removed it from Samba's registry; its snapshot still exists"
            objects = ", ".join(shares)
            yield Discrepancy(SHARE_GONE, objects, why, RECREATE_SHARE, set_id, names=shares)


def _is_missing(mapped: MappedShare, names: Collection[str]) -> bool:
    wanted = mapped.is_exposed and not mapped.deleting
    return wanted and normal_share(mapped.shadow_copy_share_name) not in names


def _lost_snapshot(inventory: Inventory, copy: ShadowCopy) -> Optional[Discrepancy]:
    if copy.snapshot is not None and copy.snapshot in inventory.gone:
        why = f"somebody removed this snapshot of share {copy.location.share.name}"
        key = copy.shadow_copy_id
        return Discrepancy(SNAPSHOT_GONE, copy.snapshot.root, why, FORGET_COPY, shadow_copy_id=key)
    volume = volume_of(copy)
    if volume in inventory.unavailable:
        why = inventory.unavailable[volume]
        first = "then" if _MOUNT_ANEW in why else "mount it, then"
        text = f"{why}; {first} run fsrvpctl fsrvpd prune. Its copies stay in their sets"
        return Discrepancy(VOLUME_ABSENT, volume.root, text, KEEP)
    return None


def volume_of(copy: ShadowCopy) -> Volume:
    return Volume(copy.location.provider, copy.volume_name, copy.location.volume_root)
