"""`Lock`: one holder at a time on this host. The kernel releases it when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional, Type

from fsrvpd.requestor.errors import RequestorError

_POLL = 0.1  # s between two tries
_LEAST = 0.15  # s: `tidy` of another process may hold a lock for a moment
_MOST_BYTES = 400  # of what a holder writes of itself


class Lock:
    """A file with an advisory lock. The file is there only while somebody holds it, or after its
    holder was killed. `holder` is what others are told."""

    def __init__(self, path: Path, holder: str) -> None:
        self.path = path
        self._holder = holder
        self._file: Optional[int] = None

    def acquire(
        self,
        wait: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> bool:
        """Take the lock, if need be after `wait` seconds at most. Raises: RequestorError."""
        deadline = clock() + max(wait, _LEAST)
        while not self._try():
            left = deadline - clock()
            if left <= 0:
                return False
            sleep(min(_POLL, left))
        return True

    def held_by(self) -> str:
        """What the holder has written of itself; "" if nobody knows."""
        try:
            with open(self.path, "rb") as file:
                text = file.read(_MOST_BYTES).decode(errors="replace")
        except OSError:
            return ""
        return "".join(each for each in text if each.isprintable())

    @property
    def descriptor(self) -> Optional[int]:
        """While it is held: a process that inherits this holds the lock as well."""
        return self._file

    def leave(self) -> None:
        """Hold it no longer, for the benefit of a process that has inherited it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def release(self) -> None:
        """Remove the file while the lock is held, so that nobody takes a file that goes."""
        if self._file is not None:
            with suppress(OSError):
                self.path.unlink()
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.release()

    def _try(self) -> bool:
        try:
            file = self._open()
            try:
                if self._lock(file):
                    self._file = file
            finally:
                if self._file is None:
                    os.close(file)
        except OSError as error:
            cause = f"no lock can be taken: {error.strerror}"
            raise RequestorError(str(self.path), cause, f"ls -ld {self.path.parent}") from error
        return self._file is not None

    def _lock(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have removed the file that was opened here.
            if os.stat(self.path).st_ino != os.fstat(file).st_ino:
                return False
        except (BlockingIOError, FileNotFoundError):
            return False
        with suppress(OSError):  # on a full disk nobody is told who holds it
            os.ftruncate(file, 0)
            os.write(file, self._holder.encode(errors="replace")[:_MOST_BYTES])
        return True

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o600)
