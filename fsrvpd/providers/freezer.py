"""A program that freezes file systems and thaws them again, whatever becomes of who asked.

`freezer.py LIMIT DIRECTORY…` freezes the file systems mounted at the directories, all or
none, says `frozen`, and thaws them at end of file on its standard input, or LIMIT seconds
after its start if that is earlier. Exit status: 0 thawed because it was asked to, 1 could
not freeze, 3 the limit was reached first.

A process of its own, on the standard library alone: nobody can write to a frozen file
system, so that whoever logs, or dies, must not be the one who has to let it go.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import List

_FREEZE, _THAW = 0xC0045877, 0xC0045878  # FIFREEZE, FITHAW of linux/fs.h
FROZEN = b"frozen\n"
ASKED, IMPOSSIBLE, TOO_LATE = 0, 1, 3
_ASKER, _ANSWER = 0, 1


class Freezer:
    def __init__(self) -> None:
        self.over = False
        self._frozen: List[int] = []
        self._lock = threading.Lock()

    def freeze(self, path: str) -> None:
        """Raises: OSError. May last as long as the disk likes; then it is let go at once."""
        volume = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.ioctl(volume, _FREEZE, 0)
        with self._lock:
            self._frozen.append(volume)
        if self.over:
            self.thaw()

    def thaw(self) -> None:
        """Somebody else may have done it: no error."""
        with self._lock:
            for volume in self._frozen:
                with suppress(OSError):
                    fcntl.ioctl(volume, _THAW, 0)

    def give_up(self) -> None:
        self.over = True
        self.thaw()


def main(limit: str, *paths: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the asker is what ends us
    freezer = Freezer()
    timer = threading.Timer(float(limit), freezer.give_up)
    timer.start()
    try:
        for path in paths:
            freezer.freeze(path)
        with suppress(BrokenPipeError):
            os.write(_ANSWER, FROZEN)
        os.read(_ASKER, 1)
    except OSError as error:
        print(f"{path}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return IMPOSSIBLE
    finally:
        timer.cancel()
        freezer.thaw()
    return TOO_LATE if freezer.over else ASKED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
