"""btrfs subvolumes through the kernel's ioctls, on descriptors that the caller holds.

Every function blocks, releases the GIL, and raises OSError with errno and path. A
`directory` is an open directory and a `name` one path component below it, so that no
path is walked twice.
"""

from __future__ import annotations

import errno
import os
from typing import Iterator, NamedTuple

from fsrvpd.core._native import ffi, lib
from fsrvpd.core.system_calls import Name, check

SUPER_MAGIC = 0x9123683E
ROOT_INODE = 256  # of the root directory of every subvolume


class Subvolume(NamedTuple):
    """UUIDs are 16 bytes; those of the parent and the origin are zero where there is none."""

    id: int
    name: str  # "" for the top level
    parent_id: int
    directory_inode: int
    generation: int
    read_only: bool
    created: float  # Unix time, s
    uuid: bytes
    parent_uuid: bytes  # of what it is a snapshot of
    received_uuid: bytes


class Child(NamedTuple):
    id: int
    path: str  # below the directory that was asked about


def create_subvolume(directory: int, name: Name) -> None:
    check(lib.fsrvp_btrfs_create(directory, os.fsencode(name)), directory, name)


def create_snapshot(source: int, directory: int, name: Name, *, read_only: bool) -> None:
    """A snapshot of the subvolume whose root directory `source` is, as directory/name."""
    returned = lib.fsrvp_btrfs_snapshot(source, directory, os.fsencode(name), read_only)
    check(returned, directory, name)


def destroy_subvolume(directory: int, name: Name) -> None:
    """Snapshots are subvolumes too. One that holds others is refused with ENOTEMPTY."""
    check(lib.fsrvp_btrfs_destroy(directory, os.fsencode(name)), directory, name)


def is_subvolume_root(directory: int) -> bool:
    """Whether a directory on btrfs is where a subvolume begins."""
    return os.fstat(directory).st_ino == ROOT_INODE


def is_read_only(subvolume: int) -> bool:
    answer = ffi.new("int *")
    check(lib.fsrvp_btrfs_get_read_only(subvolume, answer), subvolume)
    return bool(answer[0])


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


def has_children(file: int) -> bool:
    """Whether the subvolume in which an open file or directory lies holds others at all,
    wherever that may be."""
    return bool(check(lib.fsrvp_btrfs_has_children(file), file))


def children(directory: int) -> Iterator[Child]:
    """The subvolumes below a directory whose parent is the directory's own subvolume.

    Subvolumes inside those are not reported; one that disappears meanwhile is left out.
    """
    first = ffi.new("uint64_t *", 0)
    ids = ffi.new("uint64_t[]", lib.FSRVP_CHILDREN_MAX)
    inodes = ffi.new("uint64_t[]", lib.FSRVP_CHILDREN_MAX)
    while True:
        count = check(lib.fsrvp_btrfs_children(directory, first, ids, inodes), directory)
        path = ffi.new("char[]", lib.FSRVP_CHILD_PATH_SIZE) if count else ffi.NULL
        for child, inode in zip(ffi.unpack(ids, count), ffi.unpack(inodes, count)):
            returned = lib.fsrvp_btrfs_child_path(directory, child, inode, path, len(path))
            if returned in (-errno.EACCES, -errno.ENOENT):
                continue
            check(returned, directory)
            yield Child(child, os.fsdecode(ffi.string(path)))
        if first[0] == 0:
            return
