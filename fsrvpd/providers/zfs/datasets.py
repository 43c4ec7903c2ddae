"""ZFS's commands: datasets, their snapshots, and the markers of those.

A marker is a user property of the snapshot, and `zfs snapshot` makes both at once. One
command may make several snapshots, and gives all of them all of its properties: so the
name of a property shows to which snapshot the marker belongs.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Sequence, Tuple

from fsrvpd.errors import StorageError
from fsrvpd.providers.catalog.marker import (
    SnapshotMarker,
    SnapshotName,
    decode_or_warn,
    encode,
    parse_name,
)
from fsrvpd.providers.storage_command import run

_PROPERTY = "fsrvpd:"


def snapshot_name(name: SnapshotName) -> str:
    """A snapshot's name as ZFS has it: without braces."""
    return f"fsrvp-{name.bare_id}_GMT-{name.timestamp}"


def parse_snapshot_name(text: str) -> Optional[SnapshotName]:
    head, _, timestamp = text.partition("_GMT-")
    prefix, _, bare_id = head.partition("-")
    return parse_name(f"{prefix}-{{{bare_id}}}_GMT-{timestamp}")


def pool_of(dataset: str) -> str:
    return dataset.partition("/")[0]


def take(planned: Sequence[Tuple[str, SnapshotMarker]]) -> None:
    """Snapshots of datasets of one pool, all at one moment or none. Raises: StorageError."""
    argv = ["zfs", "snapshot"]
    for _, marker in planned:
        argv += ["-o", f"{_property(marker.name)}={os.fsdecode(encode(marker))}"]
    snapshots = [f"{dataset}@{snapshot_name(marker.name)}" for dataset, marker in planned]
    run([*argv, *snapshots], snapshots[0])


def markers(dataset: str) -> List[SnapshotMarker]:
    """Those of a dataset's snapshots, oldest first. Raises: StorageError."""
    argv = ["zfs", "get", "-H", "-p", "-s", "local", "-t", "snapshot", "-d", "1"]
    return parse_markers(run([*argv, "-o", "name,property,value", "all", dataset], dataset))


def markers_of(snapshot: str) -> List[SnapshotMarker]:
    """The marker of one snapshot, if it has any. Raises: StorageError, also when it is gone."""
    argv = ["zfs", "get", "-H", "-p", "-s", "local", "-o", "name,property,value", "all", snapshot]
    return parse_markers(run(argv, snapshot))


def parse_markers(listing: str) -> List[SnapshotMarker]:
    """From what `zfs get` lists of snapshots: name, property, value. Whoever may set a
    property has chosen its value, which may contain line ends."""
    found: List[SnapshotMarker] = []
    for line in listing.split("\n"):
        snapshot, prop, value = (*line.split("\t", 2), "", "")[:3]
        name = parse_snapshot_name(snapshot.rpartition("@")[2])
        if name is not None and prop == _property(name):
            marker = decode_or_warn(os.fsencode(value), name.timestamp, snapshot)
            if marker is not None and marker.name == name:
                found.append(marker)
    return sorted(found, key=lambda marker: marker.timestamp)


def used_bytes(dataset: str) -> Dict[str, int]:
    """What each snapshot of a dataset alone holds: its destruction would free it."""
    argv = ["zfs", "list", "-H", "-p", "-t", "snapshot", "-d", "1", "-o", "name,used", dataset]
    return parse_used(run(argv, dataset))


def parse_used(listing: str) -> Dict[str, int]:
    found = {}
    for line in listing.splitlines():
        name, _, used = line.rpartition("\t")
        if used.isdecimal():
            found[name] = int(used)
    return found


def children(dataset: str) -> Dict[str, str]:
    """The file systems directly below a dataset, with the snapshots they are clones of."""
    argv = ["zfs", "list", "-H", "-t", "filesystem", "-d", "1", "-o", "name,origin", dataset]
    found = {}
    for line in run(argv, dataset).splitlines():
        name, origin = line.split("\t")
        found[name] = origin
    return found


def clone(snapshot: str, dataset: str, mount_point: str) -> None:
    """A writable file system with the content of a snapshot, mounted now and at each boot,
    and not shared by ZFS itself. Raises: StorageError."""
    argv = ["zfs", "clone"]
    for setting in (f"mountpoint={mount_point}", "canmount=on", "readonly=off", "sharesmb=off"):
        argv += ["-o", setting]
    run([*argv, "-o", "sharenfs=off", snapshot, dataset], mount_point)


def make_read_only(dataset: str) -> None:
    run(["zfs", "set", "readonly=on", dataset], dataset)


def destroy(name: str) -> None:
    """Destroy a dataset or a snapshot. Raises: StorageError, which says what prevents it."""
    try:
        run(["zfs", "destroy", name], name)
    except StorageError as error:
        reason = _why_kept(name)
        if reason:
            raise StorageError(
                name,
                f"is not deleted, because {reason}",
                argv=error.argv,
                exit_status=error.exit_status,
                stderr=error.stderr,
            ) from error
        raise


def _why_kept(name: str) -> str:
    """Say why something cannot be destroyed, as far as its properties show that."""
    if "@" not in name:
        return ""
    listing = run(["zfs", "get", "-H", "-p", "-o", "property,value", "userrefs,clones", name], name)
    values = dict(line.split("\t", 1) for line in listing.splitlines())
    if values.get("userrefs", "0") not in ("0", "-"):
        return f"it has holds; see `zfs holds '{name}'`, and `zfs release` them"
    if values.get("clones", "") not in ("", "-"):
        return f"it has clones: {values['clones']}; `zfs destroy` or `zfs promote` them"
    return ""


def _property(name: SnapshotName) -> str:
    return _PROPERTY + name.bare_id.lower()
