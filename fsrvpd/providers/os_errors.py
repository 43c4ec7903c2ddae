"""How a failed system call becomes a StorageError."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Iterator

from fsrvpd.errors import StorageError

_ANEW = "unmount it (umount --lazy) and mount it anew"
_ADVICE = {
    errno.ENOSPC: "; make room on its volume (on btrfs `btrfs filesystem usage` shows whether"
    " metadata has run out of space, `df` does not)",
    errno.EDQUOT: "; raise the quota of its volume",
    errno.EROFS: "; `dmesg` may say why it is read-only, remount it once that is repaired",
    errno.EIO: "; see `dmesg` for errors of the disk",
    errno.ESHUTDOWN: f"; its cluster has evicted this client: {_ANEW}",
    errno.ENOTCONN: f"; the process or the server behind it has ended: {_ANEW}",
    errno.ESTALE: f"; its server does not know it any more: {_ANEW}",
}


@contextmanager
def as_storage_error(doing: str, path: str) -> Iterator[None]:
    """Raises: StorageError in place of an OSError inside the block, see `storage_error`."""
    try:
        yield
    except OSError as error:
        raise storage_error(doing, path, error) from error


def storage_error(doing: str, path: str, error: OSError) -> StorageError:
    """An error that names `path` and what was being done, with advice where the cause is
    plain."""
    number = error.errno or 0
    name = error.filename2 or error.filename  # of a symbolic link the first is what it contains
    where = f" ({os.fsdecode(name)})" if _is_path(name) else ""
    what = os.strerror(number) if number else error
    cause = f"cannot {doing}: {what}{where}{_ADVICE.get(number, '')}"
    return StorageError(path, cause, error_number=number)


def _is_path(name: object) -> bool:
    """Return whether the name is a path: for a descriptor, Python gives its number as the name."""
    return isinstance(name, (str, bytes)) and bool(name)
