"""mfusepy on libfuse3, which calls a `FileSystem`. No other module imports it.

mfusepy takes libfuse 2 if it finds it, does not hand on lseek, and gives the kernel names without
attributes, for each of which it would ask again.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import Any

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.file_system import MAX_READ, FileSystem
from fsrvpd.requestor.smb import libraries

_LIBRARIES = ("libfuse3.so.4", "libfuse3.so.3")
_THREADS = 16
_FILL_DIR_PLUS = 2
_ENDED = (7, 8)  # what fuse_main returns after a signal
_ENCODING, _ERRORS = "utf-8", "surrogatepass"  # half a pair of UTF-16 has its own bytes


def _load() -> Any:
    """mfusepy, bound to libfuse 3. Raises: RequestorError."""
    for name in _LIBRARIES:
        with suppress(OSError):
            ctypes.CDLL(name)
            os.environ["FUSE_LIBRARY_PATH"] = name
            break
    else:
        raise RequestorError("the mount", "libfuse3 is not installed", "apt install fuse3")
    libraries.prepare()
    try:
        import mfusepy
    except ImportError as error:
        cause = "the Python module mfusepy is not installed"
        raise RequestorError("the mount", cause, "pip install mfusepy") from error
    return mfusepy


def serve(file_system: FileSystem, point: str) -> None:
    """Mount it, and return when it is unmounted or this process gets SIGTERM.
    Raises: RequestorError."""
    mfusepy = _load()
    more = {}
    if mfusepy.fuse_version_minor >= 12:  # 3.14 complains of its own default for idle threads
        more = {"max_threads": _THREADS, "max_idle_threads": _THREADS}
    try:
        _binding(mfusepy)(
            file_system,
            point,
            foreground=True,
            encoding=_ENCODING,
            errors=_ERRORS,
            ro=True,
            nosuid=True,
            nodev=True,
            noexec=True,
            max_read=MAX_READ,
            **more,
            fsname="fsrvpshadow",
            subtype="fsrvpshadow",
        )
    except RuntimeError as error:
        if error.args[:1] and error.args[0] in _ENDED:
            return
        cause = f"libfuse cannot mount it (status {error})"
        raise RequestorError(point, cause, "see its message above") from error


def _binding(mfusepy: Any) -> Any:
    class Binding(mfusepy.FUSE):  # type: ignore[misc]  # known at run time only
        def lseek(self, path: bytes, offset: int, whence: int, info: Any) -> int:
            handle = info.contents.fh
            found: int = self.operations.lseek(_text(path), offset, whence, handle)
            return found

        def readdir_fuse_3(
            self, path: bytes, buffer: Any, fill: Any, offset: int, info: Any, flags: int
        ) -> int:
            for name in (b".", b".."):
                fill(buffer, name, None, 0, 0)
            status = mfusepy.c_stat()
            for text, attributes in self.operations.readdir(_text(path), info.contents.fh):
                mfusepy.set_st_attrs(status, attributes, use_ns=True)
                fill(buffer, text.encode(_ENCODING, _ERRORS), status, 0, _FILL_DIR_PLUS)
            return 0

    return Binding


def _text(path: bytes) -> str:
    return path.decode(_ENCODING, _ERRORS)
