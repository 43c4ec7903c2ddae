"""How a failed system call becomes a StorageError, in one place."""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import Optional, Type

from fsrvpd.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "; make room on its volume: of btrfs `btrfs filesystem usage` tells, where"
    " `df` does not, that metadata has none",
    errno.EDQUOT: "; raise the quota of its volume",
    errno.EROFS: "; `dmesg` may say why it is read-only, remount it once that is mended",
    errno.EIO: "; `dmesg` says more of the disk",
}


class reported:
    """Raises: StorageError for an OSError inside, naming `path` and what was being done.

    A class, because each IsPathSupported comes by here, and a generator costs four times that.
    """

    def __init__(self, doing: str, path: str) -> None:
        self._doing, self._path = doing, path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if isinstance(error, OSError):
            number = error.errno or 0
            where = f" ({os.fsdecode(error.filename)})" if _is_path(error.filename) else ""
            what = os.strerror(number) if number else error
            cause = f"cannot {self._doing}: {what}{where}{_ADVICE.get(number, '')}"
            raise StorageError(self._path, cause, error_number=number) from error


def _is_path(name: object) -> bool:
    """Where a descriptor was given, Python calls that the name of the file."""
    return isinstance(name, (str, bytes)) and bool(name)
