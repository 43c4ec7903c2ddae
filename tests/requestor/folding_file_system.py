"""A directory that ignores case in names and keeps it, as file systems of Windows and macOS do.

`python -m tests.requestor.folding_file_system DIRECTORY POINT [lower]` shows DIRECTORY at POINT,
until that is unmounted: no kernel has such a file system everywhere. With `lower` all letters of a
new name become small, as those of a short one do on vfat with `shortname=lower`.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

from fsrvpd.requestor.mount.binding import _load

mfusepy = _load()


class Folding(mfusepy.Operations):  # type: ignore[misc]  # known at run time only
    use_ns = True

    def __init__(self, top: str, *options: str) -> None:
        self._top = top
        self._lowers = "lower" in options

    def _at(self, path: str) -> str:
        found = self._top
        for name in filter(None, path.split("/")):
            same = [each for each in os.listdir(found) if each.lower() == name.lower()]
            new = name.lower() if self._lowers else name
            found = os.path.join(found, *(same or [new]))
        return found

    def getattr(self, path: str, fh: Any = None) -> Dict[str, Any]:
        status = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")
        times = {f"st_{each}time": getattr(status, f"st_{each}time_ns") for each in "amc"}
        return {**{name: getattr(status, name) for name in names}, **times}

    def readdir(self, path: str, fh: Any) -> List[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: Any = None) -> None:
        os.truncate(self._at(path), length)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._at(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._at(path))

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new))

    def utimens(self, path: str, times: Any = None) -> None:
        os.utime(self._at(path), ns=times)


if __name__ == "__main__":
    top, point, *options = sys.argv[1:]
    mfusepy.FUSE(Folding(top, *options), point, foreground=True, nothreads=True)
