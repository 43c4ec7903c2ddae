"""A program that freezes file systems and thaws them again, whatever happens to its parent.

`freeze_helper.py LIMIT DIRECTORY…` freezes the file systems mounted at the directories, all
or none, prints `frozen`, and thaws them at end of file on its standard input, or LIMIT
seconds after its start if that is earlier. Exit status: 0 thawed because it was told to, 1
could not freeze, 3 the limit was reached first.

A process of its own, on the standard library alone: nobody can write to a frozen file
system, so a process that writes a log, or that may die, must not be the one that thaws it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import List

_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878  # of linux/fs.h
FROZEN = b"frozen\n"
EXIT_THAWED, EXIT_FAILED, EXIT_TIMEOUT = 0, 1, 3
_STDIN, _STDOUT = 0, 1


class Freezer:
    def __init__(self) -> None:
        self.timed_out = False
        self._frozen: List[int] = []
        self._lock = threading.Lock()

    def freeze(self, path: str) -> None:
        """Raises: OSError. May take as long as the disk likes; after the time-out what it has
        frozen is thawed at once."""
        volume = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.ioctl(volume, _FIFREEZE, 0)
        with self._lock:
            self._frozen.append(volume)
        if self.timed_out:
            self.thaw()

    def thaw(self) -> None:
        """Thaw all volumes. It is no error if another process has already done that."""
        with self._lock:
            for volume in self._frozen:
                with suppress(OSError):
                    fcntl.ioctl(volume, _FITHAW, 0)

    def time_out(self) -> None:
        self.timed_out = True
        self.thaw()


def main(limit: str, *paths: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # we end when standard input does
    freezer = Freezer()
    timer = threading.Timer(float(limit), freezer.time_out)
    timer.start()
    try:
        for path in paths:
            freezer.freeze(path)
        with suppress(BrokenPipeError):
            os.write(_STDOUT, FROZEN)
        os.read(_STDIN, 1)
    except OSError as error:
        print(f"{path}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        timer.cancel()
        freezer.thaw()
    return EXIT_TIMEOUT if freezer.timed_out else EXIT_THAWED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
