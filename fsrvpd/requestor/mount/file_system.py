"""`FileSystem`: the operations of a read-only mount over the tree of a shadow copy.

libfuse calls them by `binding`, in several threads. They raise OSError. What they answer never
changes, so the kernel may remember it.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import contextmanager
from errno import EINVAL, EIO, ENAMETOOLONG, ENODATA, ENOENT, ENOTDIR, ENXIO, EROFS
from typing import Any, Callable, Dict, Iterator, List, Protocol, Tuple

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.files.records import Entry, FileFailure
from fsrvpd.requestor.mount.identity import Identity, Tree
from fsrvpd.requestor.mount.listings import Listings
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.mount.reading import Reader
from fsrvpd.requestor.mount.xattrs import FactsTree, Xattrs

MAX_READ = 1 << 20  # bytes of one read by the kernel
REMEMBERED = 1e6  # seconds for which the kernel may keep names and attributes
_LONGEST_NAME = 765  # bytes: 255 characters of three bytes
_READ_ONLY = 1  # FILE_ATTRIBUTE_READONLY
_EPOCH = 116_444_736_000_000_000  # 1970 as a FILETIME
_XATTRS = "user.smb."
# What programs look for that is not there, such as names that mark a directory as a cache.
_NO_SUCH_FILE = (ENOENT, ENOTDIR, EINVAL, ENAMETOOLONG)

Attributes = Dict[str, int]


class CopyTree(Tree, FactsTree, Protocol):
    """What is needed of a `FileTree`."""


class FileSystem:
    """`ready` is called once the kernel has the mount."""

    use_ns = True  # for mfusepy: times are whole nanoseconds

    def __init__(
        self, tree: CopyTree, identity: Identity, problems: Problems, ready: Callable[[], None]
    ) -> None:
        self._tree, self._identity, self._problems = tree, identity, problems
        self._ready = ready
        self._listings = Listings(tree, problems)
        self._xattrs = Xattrs(tree, problems)
        self._lock = threading.Lock()
        self._open: Dict[int, Reader] = {}
        self._last = 0
        self._uid, self._gid = os.geteuid(), os.getegid()

    def init_with_config(self, connection: Any, config: Any) -> None:
        """`max_write` is what libfuse makes the number of pages of a read from."""
        connection.max_read = connection.max_readahead = connection.max_write = MAX_READ
        connection.max_background = 64
        config.use_ino = config.kernel_cache = 1
        config.attr_timeout = config.entry_timeout = config.negative_timeout = REMEMBERED
        self._ready()

    def getattr(self, path: str, handle: Any = None) -> Attributes:
        smb_path = _smb(path)
        with self._reading(smb_path):
            return self._attributes(smb_path, self._listings.entry(smb_path))

    def readdir(self, path: str, handle: Any) -> Iterator[Tuple[str, Attributes]]:
        """With attributes: the kernel needs not ask for each."""
        above = _smb(path)
        with self._reading(above):
            found = self._listings.of(above)
        return (
            (name, self._attributes(f"{above}\\{name}" if above else name, entry))
            for name, entry in found.items()
        )

    def open(self, path: str, flags: int) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(EROFS, os.strerror(EROFS))
        smb_path = _smb(path)
        with self._reading(smb_path):
            reader = self._opened(smb_path)
        with self._lock:
            self._last += 1
            self._open[self._last] = reader
            return self._last

    def _opened(self, path: str) -> Reader:
        """The kernel would cut a file that is longer than its directory has said, or fill it up
        with zeros: NTFS has old sizes for files of several names. Raises: RequestorError."""
        size = self._listings.entry(path).size
        file = self._tree.open(path)
        if file.entry.size != size:
            file.close()
            cause = f"it has {file.entry.size} bytes, and its directory says {size}"
            raise FileFailure(path, cause)
        return Reader(file, size)

    def read(self, path: str, length: int, offset: int, handle: int) -> bytes:
        with self._reading(_smb(path)):
            return self._open[handle].read(offset, length)

    def lseek(self, path: str, offset: int, whence: int, handle: int) -> int:
        """SEEK_DATA and SEEK_HOLE; the kernel does the others."""
        smb_path = _smb(path)
        with self._reading(smb_path):
            reader = self._open[handle]
            if not 0 <= offset < self._listings.entry(smb_path).size:
                raise OSError(ENXIO, os.strerror(ENXIO))
            if whence == os.SEEK_HOLE:
                return reader.seek_hole(offset)
            found = reader.seek_data(offset)
            if found is None:
                raise OSError(ENXIO, os.strerror(ENXIO))
            return found

    def release(self, path: str, handle: int) -> int:
        with self._lock:
            reader = self._open.pop(handle)
        with self._reading(_smb(path)):
            reader.close()
        return 0

    def listxattr(self, path: str) -> List[str]:
        smb_path = _smb(path)
        with self._reading(smb_path):
            return self._xattrs.names(smb_path)

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        """Programs ask each file for many others, such as ACLs of POSIX."""
        if not name.startswith(_XATTRS):
            raise OSError(ENODATA, os.strerror(ENODATA))
        smb_path = _smb(path)
        with self._reading(smb_path):
            entry = self._listings.entry(smb_path)
            return self._xattrs.value(smb_path, entry, name)

    def statfs(self, path: str) -> Dict[str, int]:
        return {"f_bsize": 4096, "f_frsize": 4096, "f_namemax": _LONGEST_NAME}

    def _attributes(self, path: str, entry: Entry) -> Attributes:
        """The modes are those of whoever mounts: the copy is shown to nobody else."""
        mode = stat.S_IFDIR | 0o700 if entry.is_directory else stat.S_IFREG | 0o600
        return {
            "st_mode": mode & ~0o200 if entry.attributes & _READ_ONLY else mode,
            "st_nlink": 1,
            "st_uid": self._uid,
            "st_gid": self._gid,
            "st_ino": self._identity.inode(path, entry),
            "st_size": 0 if entry.is_directory else entry.size,
            "st_blocks": (entry.allocated + 511) // 512,
            "st_blksize": MAX_READ,
            "st_atime": _nanoseconds(entry.accessed),
            "st_mtime": _nanoseconds(entry.modified),
            "st_ctime": _nanoseconds(self._identity.changed(entry)),
        }

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Failures become OSErrors; what a backup lacks because of them is counted."""
        try:
            yield
        except FileFailure as failure:
            if failure.errno not in _NO_SUCH_FILE:
                self._problems.add("unreadable", path, failure.cause)
            raise OSError(failure.errno, failure.cause) from failure
        except RequestorError as error:
            self._problems.add("unreadable", path, error.cause)
            raise OSError(EIO, error.cause) from error


def _smb(path: str) -> str:
    return path[1:].replace("/", "\\")


def _nanoseconds(filetime: int) -> int:
    return (filetime - _EPOCH) * 100
