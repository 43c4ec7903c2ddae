"""ZFS as its provider needs it: datasets, their snapshots, and what is written on those.

A mark is a user property of the snapshot, and `zfs snapshot` makes both at once. One
command may make several snapshots, and gives all of them all of its properties: so the
name of a property says of which snapshot it is the mark.
"""

from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.errors import StorageError
from fsrvpd.providers.commands import run
from fsrvpd.providers.mark import Mark, SnapshotName, decode, encode

_PROPERTY = "fsrvpd:"
_NAME = re.compile(
    r"fsrvp-([0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})_GMT-(\d{4}(?:\.\d\d){2}-\d\d(?:\.\d\d){2})"
)


class Marked(NamedTuple):
    name: SnapshotName
    mark: Mark


def name_of(name: SnapshotName) -> str:
    """ZFS allows no braces in the name of a snapshot."""
    return f"fsrvp-{name.shadow_copy_id.strip('{}')}_GMT-{name.label}"


def parse_name(text: str) -> Optional[SnapshotName]:
    match = _NAME.fullmatch(text)
    return SnapshotName(f"{{{match[1]}}}", match[2]) if match else None


def pool_of(dataset: str) -> str:
    return dataset.partition("/")[0]


def take(wanted: Sequence[Tuple[str, SnapshotName, Mark]]) -> None:
    """Snapshots of datasets of one pool, all at one moment or none. Raises: StorageError."""
    argv = ["zfs", "snapshot"]
    for _, name, mark in wanted:
        argv += ["-o", f"{_property(name)}={os.fsdecode(encode(mark))}"]
    snapshots = [f"{dataset}@{name_of(name)}" for dataset, name, _ in wanted]
    run([*argv, *snapshots], snapshots[0])


def marked(dataset: str) -> List[Marked]:
    """The snapshots of a dataset that are ours. Raises: StorageError."""
    argv = ["zfs", "get", "-H", "-p", "-s", "local", "-t", "snapshot", "-d", "1"]
    return marks_in(run([*argv, "-o", "name,property,value", "all", dataset], dataset))


def marks_in(listing: str) -> List[Marked]:
    """Ours, by what `zfs get` lists of snapshots: name, property, value; oldest first."""
    found: List[Marked] = []
    for line in listing.splitlines():
        snapshot, prop, value = line.split("\t", 2)
        name = parse_name(snapshot.rpartition("@")[2])
        if name is not None and prop == _property(name):
            mark = decode(os.fsencode(value))
            if mark is not None and mark.shadow_copy_id == name.shadow_copy_id:
                found.append(Marked(name, mark))
    return sorted(found, key=lambda each: each.name.label)


def children(dataset: str) -> Dict[str, str]:
    """The file systems directly below a dataset, with the snapshots they are clones of."""
    argv = ["zfs", "list", "-H", "-t", "filesystem", "-d", "1", "-o", "name,origin", dataset]
    found = {}
    for line in run(argv, dataset).splitlines():
        name, origin = line.split("\t")
        found[name] = origin
    return found


def clone(snapshot: str, dataset: str, place: str) -> None:
    """A writable file system with the content of a snapshot, mounted at `place`, now and at
    each boot, and shared by nobody but us. Raises: StorageError."""
    argv = ["zfs", "clone"]
    for setting in (f"mountpoint={place}", "canmount=on", "readonly=off", "sharesmb=off"):
        argv += ["-o", setting]
    run([*argv, "-o", "sharenfs=off", snapshot, dataset], place)


def make_read_only(dataset: str) -> None:
    run(["zfs", "set", "readonly=on", dataset], dataset)


def destroy(name: str) -> None:
    """Raises: StorageError, which says who holds it when somebody does."""
    try:
        run(["zfs", "destroy", name], name)
    except StorageError as error:
        holder = _held(name)
        if holder:
            raise StorageError(
                name,
                f"is not deleted, because {holder}",
                argv=error.argv,
                exit_status=error.exit_status,
                stderr=error.stderr,
            ) from error
        raise


def _held(name: str) -> str:
    """Why something cannot be destroyed, as far as its properties tell."""
    if "@" not in name:
        return ""
    listing = run(["zfs", "get", "-H", "-p", "-o", "property,value", "userrefs,clones", name], name)
    values = dict(line.split("\t", 1) for line in listing.splitlines())
    if values.get("userrefs", "0") not in ("0", "-"):
        return f"somebody holds it; see `zfs holds '{name}'`, and `zfs release` when it may go"
    if values.get("clones", "") not in ("", "-"):
        return f"it has clones: {values['clones']}; `zfs destroy` or `zfs promote` them"
    return ""


def _property(name: SnapshotName) -> str:
    return _PROPERTY + name.shadow_copy_id.strip("{}").lower()
