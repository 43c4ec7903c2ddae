"""The node's own copy of a CTDB database, read through libtdb, which Samba brings.

Reading costs no message and works while other nodes do not answer. Nothing is ever written here.
The file is opened for writing all the same, because libtdb takes no locks in a file that it may
only read, and would then return half of what ctdbd is writing.

No lock is waited for: ctdbd holds the file as long as a recovery takes.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from functools import cache
from typing import Any, Callable, Iterator, NamedTuple, Optional

from fsrvpd.errors import StoreBusy
from fsrvpd.protocol.cluster import Record
from samba_hooks.ctdb.packets import LTDB, CtdbLost

LIBRARY = "libtdb.so.1"
_NO_SUCH_RECORD = 8  # TDB_ERR_NOEXIST
_DEFAULT = 0


class _Data(ctypes.Structure):
    """TDB_DATA."""

    _fields_ = (("pointer", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Library(NamedTuple):
    open: Callable[..., Optional[int]]
    close: Callable[..., int]
    error: Callable[..., int]
    lock: Callable[..., int]
    unlock: Callable[..., int]
    lock_all: Callable[..., int]
    unlock_all: Callable[..., int]
    fetch: Callable[..., _Data]
    first: Callable[..., _Data]
    next: Callable[..., _Data]
    free: Callable[..., None]


class LocalCopy:
    """Belongs to one thread. A process opens a file only once at a time."""

    def __init__(self, path: str) -> None:
        """Raises: CtdbLost."""
        self._path = path
        self._tdb = _library()
        self._file = self._tdb.open(
            os.fsencode(path), 0, _DEFAULT, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0
        )
        if not self._file:
            reason = os.strerror(ctypes.get_errno())
            raise CtdbLost(f"{path} cannot be opened: {reason}")

    def close(self) -> None:
        if self._file:
            self._tdb.close(self._file)
            self._file = None

    def get(self, key: bytes) -> Optional[Record]:
        """A record, or None. Raises: StoreBusy, CtdbLost."""
        named = _data(key)
        with self._locked(self._tdb.lock, self._tdb.unlock, named):
            return self._fetch(named)

    def all(self) -> dict[bytes, Record]:
        """All records, as of one moment. Raises: StoreBusy, CtdbLost."""
        found: dict[bytes, Record] = {}
        # With a lock on everything no other one is asked for: `tdb_traverse_read` waits for
        # transactions, and they would wait for us.
        with self._locked(self._tdb.lock_all, self._tdb.unlock_all):
            for key in self._keys():
                record = self._fetch(_data(key))
                if record is not None:
                    found[key] = record
        return found

    @contextmanager
    def _locked(
        self, lock: Callable[..., int], unlock: Callable[..., int], *arguments: _Data
    ) -> Iterator[None]:
        if not self._file:
            raise CtdbLost(f"{self._path} is closed")
        if lock(self._file, *arguments) != 0:
            raise StoreBusy(f"{self._path} is locked by ctdbd")
        try:
            yield
        finally:
            unlock(self._file, *arguments)

    def _keys(self) -> Iterator[bytes]:
        key = self._taken(self._tdb.first(self._file))
        while key is not None:
            yield key
            key = self._taken(self._tdb.next(self._file, _data(key)))

    def _fetch(self, key: _Data) -> Optional[Record]:
        value = self._taken(self._tdb.fetch(self._file, key))
        if value is None or len(value) < LTDB.size:
            return None
        return Record(LTDB.unpack_from(value)[0], value[LTDB.size :])

    def _taken(self, data: _Data) -> Optional[bytes]:
        """What libtdb has allocated. Raises: CtdbLost if there is nothing for another reason than
        that it does not exist."""
        if not data.pointer:
            error = self._tdb.error(self._file)
            if error not in (0, _NO_SUCH_RECORD):
                raise CtdbLost(f"{self._path} cannot be read: error {error} of libtdb")
            return None
        try:
            return ctypes.string_at(data.pointer, data.size)
        finally:
            self._tdb.free(data.pointer)


def _data(content: bytes) -> _Data:
    """Points into `content`, which libtdb does not change."""
    data = _Data(ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p), len(content))
    data.content = content  # kept as long as what points to it
    return data


@cache
def _library() -> _Library:
    """Raises: CtdbLost."""
    try:
        tdb, libc = ctypes.CDLL(LIBRARY, use_errno=True), ctypes.CDLL(None)
    except OSError as error:
        raise CtdbLost(f"{LIBRARY}, a part of Samba, cannot be loaded: {error}") from error
    one, number, file = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p

    def function(name: str, result: object, *arguments: object) -> Callable[..., Any]:
        found = getattr(tdb, name)
        found.restype, found.argtypes = result, arguments
        return found  # type: ignore[no-any-return]

    libc.free.restype, libc.free.argtypes = None, (ctypes.c_void_p,)
    return _Library(
        open=function("tdb_open", file, one, number, number, number, number),
        close=function("tdb_close", number, file),
        error=function("tdb_error", number, file),
        lock=function("tdb_chainlock_read_nonblock", number, file, _Data),
        unlock=function("tdb_chainunlock_read", number, file, _Data),
        lock_all=function("tdb_lockall_read_nonblock", number, file),
        unlock_all=function("tdb_unlockall_read", number, file),
        fetch=function("tdb_fetch", _Data, file, _Data),
        first=function("tdb_firstkey", _Data, file),
        next=function("tdb_nextkey", _Data, file, _Data),
        free=libc.free,
    )
