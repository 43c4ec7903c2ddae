"""What has happened to a share since it was located, so that a snapshot would not hold it."""

from __future__ import annotations

import os
from typing import Optional, Protocol, Sequence, Tuple

from fsrvpd.core.handles import name_of_handle
from fsrvpd.protocol.ports import ShareLocation

Identity = Tuple[int, int]  # st_dev, st_ino


class Recheck(Protocol):
    """The part of a `Provider` that is needed here."""

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]: ...


def change_of(location: ShareLocation, path: str, provider: Recheck) -> Optional[str]:
    """None, or why a snapshot of the location would not hold what users see at the share's
    `path` now. Takes some microseconds. Raises: StorageError."""
    if not _leads_there(path, location):
        return f"{path} leads to another directory than before"
    return provider.recheck(location.directory, location.share.settings.ignore_subvolumes)


def _leads_there(path: str, location: ShareLocation) -> bool:
    directory, known = location.directory, location.identity
    if known is None:
        return path == directory or os.path.realpath(path) == directory
    if not known[1]:
        found = identity_of(directory)
        same = found is not None and found[0] == known[0]
        return same and (path == directory or os.path.realpath(path) == directory)
    return known == identity_of(directory) and (path == directory or known == identity_of(path))


def identity_of(path: str) -> Optional[Identity]:
    """The directory that a path leads to, None if it leads to nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def identity_and_handle_of(path: str) -> Tuple[Optional[Identity], str]:
    """`identity_of`, and the name of the directory's handle."""
    try:
        directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None, ""
    try:
        status = os.fstat(directory)
        return (status.st_dev, status.st_ino), name_of_handle(directory)
    finally:
        os.close(directory)
