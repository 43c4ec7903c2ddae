"""Opens a volume and verifies its identity.

A volume that is not mounted leaves an empty directory behind, and a snapshot on it looks as
if it had been deleted. So nothing is ever concluded from a path alone.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Callable, Iterator

from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import ShareLocation
from fsrvpd.providers.os_errors import as_storage_error

# The name (`ShareLocation.volume_name`) of the volume whose root is open. May raise OSError.
VolumeNameOf = Callable[[int], str]


@contextmanager
def open_directory(path: str) -> Iterator[int]:
    """A descriptor of a directory. Raises: StorageError."""
    with as_storage_error("open the directory", path):
        fd = os.open(path, DIRECTORY_FLAGS)
    with closing_fd(fd):
        yield fd


@contextmanager
def open_volume(root: str, volume_name: str, name_of: VolumeNameOf) -> Iterator[int]:
    """A descriptor of a volume's root. Raises: StorageError unless `volume_name` is there."""
    with open_directory(root) as fd:
        with as_storage_error("identify the volume", root):
            found = name_of(fd)
        if found != volume_name:
            raise StorageError(
                root, f"expected volume {volume_name} here, found {found}; mount it and try again"
            )
        yield fd


def identify_volume(root: str, name_of: VolumeNameOf) -> str:
    """The name of the volume that is mounted at `root`. Raises: StorageError."""
    with open_directory(root) as fd, as_storage_error("identify the volume", root):
        return name_of(fd)


def open_below(directory: int, path: str) -> int:
    """A descriptor of a directory below an open one. Raises: OSError.

    The path is resolved name by name and no symbolic link is followed: a path may be of any
    length, and neither users who change it meanwhile nor a hostile disk can lead us elsewhere.
    """
    flags = DIRECTORY_FLAGS | os.O_NOATIME
    fd = os.open(".", flags, dir_fd=directory)
    for name in filter(None, path.split("/")):
        outer = fd
        try:
            if name == "..":
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            fd = os.open(name, flags, dir_fd=outer)
        finally:
            os.close(outer)
    return fd


def open_inside(directory: str, path: str) -> int:
    """A descriptor of the share's directory in a snapshot that is at `directory`, as
    `open_below`. Raises: StorageError."""
    with open_directory(directory) as root, as_storage_error("find the share", directory):
        return open_below(root, path)


def find_share(root: int, location: ShareLocation) -> None:
    """Raises: StorageError unless the share's directory is below `root`: it may have been
    moved away meanwhile, or replaced by a link to somewhere else."""
    with as_storage_error("find the share", location.directory):
        os.close(open_below(root, relative_path(location)))


def relative_path(location: ShareLocation) -> str:
    """The share's directory relative to the volume's root; "" for the root itself."""
    path = os.path.relpath(location.directory, location.volume_root)
    if path == ".." or path.startswith("../"):
        raise StorageError(location.directory, f"is not inside its volume {location.volume_root}")
    return "" if path == "." else path
