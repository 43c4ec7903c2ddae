"""What lies below a share but not in a snapshot of it: subvolumes of btrfs, and mounts.

Whatever may be data is an obstacle. Passed over is only what cannot be the one place of
anybody's data:

* a read-only snapshot of the share's own volume in which nothing was changed since;
* the directory in which snapper keeps its snapshots, known by everything in it;
* what is mounted read-only under a snapshot's name, and snapshots of the share's own dataset
  of ZFS: only root mounts, and nobody renames a mount point;
* what the admin names in `fsrvp:ignore subvolumes`: by the id of a subvolume, or by a path on
  which users can rename nothing.

A name alone proves nothing: whoever may write to a directory can rename what is in it, other
people's data included, and any user of btrfs can make subvolumes and snapshots of his own.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from contextlib import suppress
from itertools import islice
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence

from fsrvpd.core import btrfs, handles
from fsrvpd.core.btrfs import Child, Subvolume
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.core.mounts import Mount
from fsrvpd.protocol.ports import OWN_DIRECTORY, LeftOut
from fsrvpd.providers.catalog.own_directory import is_own
from fsrvpd.providers.catalog.volume import open_directory
from fsrvpd.providers.os_errors import as_storage_error

OPTION = "fsrvp:ignore subvolumes"
_LOOKS = 10  # at what may be fsrvpd's own
MOST = 1000  # subvolumes that are looked at in one share, and snapshots of snapper
_SNAPPERS = ".snapshots"
_GMT = re.compile(r"@GMT-[0-9]{4}(?:\.[0-9]{2}){2}-[0-9]{2}(?:\.[0-9]{2}){2}")  # shadow_copy2's
_PAST = "a read-only snapshot of the share's own volume, unchanged since it was taken"
_OF_SNAPPER = "holds nothing but snapshots of snapper"
_MOUNTED = "a snapshot, mounted read-only"
_NAMED = f"{OPTION} names it"


class Gap(NamedTuple):
    """`path` begins at the share's directory. `obstacle` says why the share cannot be copied,
    or `harmless` why a copy need not contain what is there."""

    path: str
    harmless: str = ""
    obstacle: str = ""


class Place(NamedTuple):
    """The directory of a share, open, and what `fsrvp:ignore subvolumes` says of it."""

    directory: int
    path: str
    ignored: Sequence[str]


def first_obstacle(gaps: Iterable[Gap]) -> Optional[str]:
    return next((gap.obstacle for gap in gaps if gap.obstacle), None)


def left_out(path: str, gaps: Iterable[Gap]) -> List[LeftOut]:
    """Those below a directory that are passed over."""
    return [LeftOut(os.path.join(path, gap.path), gap.harmless) for gap in gaps if gap.harmless]


def subvolumes(place: Place) -> Iterator[Gap]:
    """Those below a directory of btrfs but for fsrvpd's own. Four system calls for each, and
    two for each snapshot of snapper. Raises: OSError."""
    live: Optional[Subvolume] = None
    for number, child in enumerate(btrfs.children(place.directory)):
        top = child.path.partition("/")[0]
        if top == OWN_DIRECTORY and is_own(place.directory, child.path):
            continue
        gap = _named(place, child.path, child.id)
        if gap is None and number < MOST:
            live = live or btrfs.subvolume_info(place.directory)
            harmless = _why_harmless(place, child.path, live)
            gap = Gap(child.path, harmless) if harmless else None
        if gap is not None:
            yield gap
        elif not _is_own_wherever(place.directory, child):
            yield Gap(child.path, obstacle=_missing("the subvolume", place, child.path))


def _is_own_wherever(directory: int, child: Child) -> bool:
    """Whether a subvolume is fsrvpd's while somebody renames it. He may be quicker than a look at
    it, but not each time. Raises: OSError."""
    for _ in range(_LOOKS):
        path = btrfs.child_path(directory, child)
        if path is not None and is_own(directory, path):
            return True
    return False


def mounted(place: Place, mounts: LiveMounts, reserved: Sequence[str] = ()) -> Iterator[Gap]:
    """What is mounted below a directory, but for what is in the `reserved` directories, whose
    paths end with a slash. Raises: OSError, StorageError."""
    for mount in mounts.below(place.path):
        if mount.mount_point.startswith(tuple(reserved)):
            continue
        path = os.path.relpath(mount.mount_point, place.path)
        gap = _named(place, path)
        if gap is None:
            harmless = _why_harmless_mount(place, path, mount, mounts)
            gap = Gap(path, harmless) if harmless else None
        yield gap or Gap(path, obstacle=_missing("what is mounted at", place, path))


def mounted_below(
    path: str, ignored: Sequence[str], mounts: LiveMounts, reserved: Sequence[str] = ()
) -> List[Gap]:
    """`mounted`, of a directory that is opened only if anything is. Raises: StorageError."""
    if not mounts.below(path):
        return []
    with open_directory(path) as fd, as_storage_error("look at what is mounted below it", path):
        return list(mounted(Place(fd, path, ignored), mounts, reserved))


def _missing(what: str, place: Place, path: str) -> str:
    return (
        f"{what} {os.path.join(place.path, path)} would be missing in a snapshot: share it by"
        f" itself, or, if copies need not contain it, set {OPTION} = {shlex.quote(path)}"
    )


def _why_harmless(place: Place, path: str, live: Subvolume) -> str:
    """Why a subvolume is passed over, "" if it is not, or is gone."""
    with suppress(OSError), closing_fd(handles.open_directory(place.directory, path)) as inner:
        return _why_harmless_here(inner, path, live)
    return ""


def _why_harmless_here(subvolume: int, path: str, live: Subvolume) -> str:
    if os.path.basename(path) == _SNAPPERS and _is_snappers(subvolume):
        return _OF_SNAPPER
    found = btrfs.subvolume_info(subvolume)
    is_snapshot = any(live.uuid) and found.parent_uuid == live.uuid
    # Who owns a snapshot can make it writable, and read-only again.
    is_unchanged = found.read_only and found.changed_in <= found.created_in
    return _PAST if is_snapshot and is_unchanged else ""


def _why_harmless_mount(place: Place, path: str, mount: Mount, mounts: LiveMounts) -> str:
    if mount.fs_type.startswith("fuse"):  # which users may mount
        return ""
    share, read_only = mounts.lookup(place.path), "ro" in {*mount.options, *mount.super_options}
    if read_only and _GMT.fullmatch(os.path.basename(path)):
        return _MOUNTED
    if mount.fs_type == "zfs" and share.fs_type == "zfs":
        dataset, at, _ = mount.source.partition("@")
        return _MOUNTED if at and dataset == share.source else ""
    if (mount.fs_type, mount.source) == ("btrfs", share.source):  # no other may keep us waiting
        with suppress(OSError), closing_fd(os.open(mount.mount_point, DIRECTORY_FLAGS)) as inner:
            if btrfs.is_subvolume_root(inner):
                return _why_harmless_here(inner, path, btrfs.subvolume_info(place.directory))
    return ""


def _named(place: Place, path: str, number: int = 0) -> Optional[Gap]:
    """None when the admin does not name what is at a path, or no directory above it."""
    for word in place.ignored:
        if word.isdecimal():
            if int(word) == number:
                return Gap(path, _NAMED)
        elif path == word or path.startswith(word + "/"):
            open_to = _where_users_rename(place.directory, word)
            if open_to is None:
                return Gap(path, _NAMED)
            return Gap(path, obstacle=_not_trusted(place, path, os.path.normpath(open_to), number))
    return None


def _not_trusted(place: Place, path: str, open_to: str, number: int) -> str:
    where = os.path.normpath(os.path.join(place.path, open_to))
    by_id = f", or name the subvolume by its id, {OPTION} = {number}" if number else ""
    return (
        f"{OPTION} names {os.path.join(place.path, path)}, but users can rename what is in {where},"
        " so that other data could have that name while a copy is made: let root own both and"
        f" chmod +t '{where}'{by_id}"
    )


def _where_users_rename(directory: int, path: str) -> Optional[str]:
    """The first directory on the way to a path in which others than root could give a name on
    the way to something else, "." for the open one; None without any. Raises: OSError."""
    here, outer = ".", os.dup(directory)
    for name in path.split("/"):
        with closing_fd(outer) as parent:
            inner = os.open(name, os.O_PATH | DIRECTORY_FLAGS, dir_fd=parent)
            if not _only_root_renames(parent, inner):
                os.close(inner)
                return here
        here, outer = os.path.join(here, name), inner
    os.close(outer)
    return None


def _only_root_renames(directory: int, inner: int) -> bool:
    """Whether nobody but root can rename an open directory that is in another one."""
    status = os.fstat(directory)
    if _is_closed(status):
        return True
    is_sticky = bool(status.st_mode & stat.S_ISVTX)
    return is_sticky and status.st_uid == 0 == os.fstat(inner).st_uid


def _is_closed(status: os.stat_result) -> bool:
    """Whether only root can change a directory. An ACL permits no more than the group's bits."""
    return stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o022


def _is_snappers(directory: int) -> bool:
    """Whether all that is in a directory is what snapper makes, and only root can change it:

    1/info.xml    of each snapshot
    1/snapshot    a subvolume
    """
    if not _is_closed(os.fstat(directory)):
        return False
    with os.scandir(directory) as entries:
        names = [entry.name for entry in islice(entries, MOST + 1)]
    return len(names) <= MOST and all(_is_of_snapper(directory, name) for name in names)


def _is_of_snapper(directory: int, name: str) -> bool:
    if not name.isdecimal():
        return False
    if not _is_closed(os.stat(name, dir_fd=directory, follow_symlinks=False)):
        return False
    snapshot = _stat(f"{name}/snapshot", directory)
    if snapshot is not None:
        return stat.S_ISDIR(snapshot.st_mode) and snapshot.st_ino == btrfs.ROOT_INODE
    with closing_fd(os.open(name, DIRECTORY_FLAGS, dir_fd=directory)) as inner:
        return all(each.startswith("info.xml") for each in os.listdir(inner))  # it is being made


def _stat(path: str, directory: int) -> Optional[os.stat_result]:
    try:
        return os.stat(path, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
