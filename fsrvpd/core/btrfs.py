"""btrfs subvolumes, by ioctls on descriptors that the caller holds.

Every function may block, releases the GIL, and raises OSError with errno and path.
`directory` is an open directory and `name` one path component in it, so that no path is
resolved twice.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Iterator, NamedTuple, Optional

from fsrvpd.core.error_codes import Name, check
from fsrvpd.core.native import ffi, lib

SUPER_MAGIC = 0x9123683E
ROOT_INODE = 256  # of the root directory of every subvolume
EMPTY_PLACE_INODE = 2  # of a directory in a snapshot, where the original has a subvolume


class Subvolume(NamedTuple):
    """UUIDs are 16 bytes, and zero when it is no snapshot, or was not received."""

    id: int
    name: str  # "" for the top level
    parent_id: int
    directory_inode: int
    generation: int
    created_in: int  # numbers of transactions
    changed_in: int  # the last that wrote an inode in it
    read_only: bool
    created: float  # Unix time, s
    uuid: bytes
    parent_uuid: bytes  # of the subvolume that it is a snapshot of
    received_uuid: bytes


class Child(NamedTuple):
    id: int
    path: str  # relative to the directory that `children` was called for
    parent: int  # inode number of the directory that holds it


def create_subvolume(directory: int, name: Name) -> None:
    check(lib.fsrvp_btrfs_create(directory, os.fsencode(name)), directory, name)


def create_snapshot(source: int, directory: int, name: Name, *, read_only: bool) -> None:
    """Make directory/name a snapshot of the subvolume whose root directory `source` is."""
    returned = lib.fsrvp_btrfs_snapshot(source, directory, os.fsencode(name), read_only)
    check(returned, directory, name)


def destroy_subvolume(directory: int, name: Name) -> None:
    """Also for snapshots; nothing happens when there is none. ENOTEMPTY: it holds other
    subvolumes."""
    returned = lib.fsrvp_btrfs_destroy(directory, os.fsencode(name))
    if returned != -errno.ENOENT:
        check(returned, directory, name)


def is_subvolume_root(directory: int) -> bool:
    """Whether a directory on btrfs is the root of a subvolume."""
    return os.fstat(directory).st_ino == ROOT_INODE


def is_read_only(subvolume: int) -> bool:
    read_only = ffi.new("int *")
    check(lib.fsrvp_btrfs_get_read_only(subvolume, read_only), subvolume)
    return bool(read_only[0])


def set_read_only(subvolume: int, read_only: bool) -> None:
    check(lib.fsrvp_btrfs_set_read_only(subvolume, read_only), subvolume)


def subvolume_info(file: int) -> Subvolume:
    """The subvolume in which an open file or directory lies."""
    info = ffi.new("fsrvp_subvolume *")
    check(lib.fsrvp_btrfs_info(file, info), file)
    return Subvolume(
        id=info.id,
        name=os.fsdecode(ffi.string(info.name)),
        parent_id=info.parent_id,
        directory_inode=info.directory_inode,
        generation=info.generation,
        created_in=info.created_in,
        changed_in=info.changed_in,
        read_only=bool(info.flags & lib.FSRVP_SUBVOLUME_READ_ONLY),
        created=info.created_seconds + info.created_nanoseconds / 1e9,
        uuid=bytes(info.uuid),
        parent_uuid=bytes(info.parent_uuid),
        received_uuid=bytes(info.received_uuid),
    )


def file_system_uuid(file: int) -> bytes:
    uuid = ffi.new("uint8_t[16]")
    check(lib.fsrvp_btrfs_uuid(file, uuid), file)
    return bytes(uuid)


def exclusive_bytes(file: int, subvolume_id: int) -> Optional[int]:
    """What a subvolume shares with no other, None where no quota knows it. Needs CAP_SYS_ADMIN."""
    size = ffi.new("uint64_t *")
    returned = lib.fsrvp_btrfs_exclusive(file, subvolume_id, size)
    if returned in (-errno.ENOENT, -errno.ENODATA):
        return None
    check(returned, file)
    return int(size[0])


def children(directory: int) -> Iterator[Child]:
    """The subvolumes below a directory whose parent is the directory's own subvolume.

    Those inside them are not reported, nor is one that is deleted meanwhile.
    """
    first = ffi.new("uint64_t *", 0)
    ids = ffi.new("uint64_t[]", lib.FSRVP_CHILDREN_MAX)
    inodes = ffi.new("uint64_t[]", lib.FSRVP_CHILDREN_MAX)
    while True:
        count = check(lib.fsrvp_btrfs_children(directory, first, ids, inodes), directory)
        buffer = ffi.new("char[]", lib.FSRVP_CHILD_PATH_SIZE) if count else ffi.NULL
        for child, inode in zip(ffi.unpack(ids, count), ffi.unpack(inodes, count)):
            path = _child_path(directory, child, inode, buffer)
            if path is not None:
                yield Child(child, path, inode)
        if first[0] == 0:
            return


def child_path(directory: int, child: Child) -> Optional[str]:
    """Where a child is now, if its parent is the same; None if it is gone."""
    buffer = ffi.new("char[]", lib.FSRVP_CHILD_PATH_SIZE)
    return _child_path(directory, child.id, child.parent, buffer)


def _child_path(directory: int, child: int, inode: int, buffer: Any) -> Optional[str]:
    returned = lib.fsrvp_btrfs_child_path(directory, child, inode, buffer, len(buffer))
    if returned == -errno.ENAMETOOLONG:
        return _long_path(directory, child, inode)
    if returned in (-errno.EACCES, -errno.ENOENT):
        return None
    check(returned, directory)
    return os.fsdecode(ffi.string(buffer))


def _long_path(directory: int, child: int, inode: int) -> Optional[str]:
    """The path of a child for which the kernel's buffer is too short, name by name from its
    end. None when it is gone, or not below. `inode` is that of the directory that holds it."""
    name = ffi.new("char[]", lib.FSRVP_NAME_MAX + 1)
    outer, top = ffi.new("uint64_t *", inode), os.fstat(directory).st_ino
    found = lib.fsrvp_btrfs_child_name(directory, subvolume_info(directory).id, child, name)
    names = []
    while found != -errno.ENOENT:
        check(found, directory)
        names.append(os.fsdecode(ffi.string(name)))
        if outer[0] == top:
            return "/".join(reversed(names))
        if outer[0] == ROOT_INODE:
            return None
        found = lib.fsrvp_btrfs_directory_name(directory, outer[0], outer, name)
    return None
