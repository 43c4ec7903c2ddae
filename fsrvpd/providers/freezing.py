"""Several file systems frozen at once, so that what is done meanwhile is of one moment.

Nobody can write to a frozen file system, the daemon's own log file included. So they are
thawed after a limit whatever happens, by a thread that touches no file; then the moment
has passed, and who froze is told.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from contextlib import contextmanager, suppress
from typing import Iterator, List, Sequence

from fsrvpd.errors import StorageError
from fsrvpd.providers import home
from fsrvpd.providers.failures import reported

LIMIT = 10.0  # s, as long as VSS lets writers stand still
_FREEZE, _THAW = 0xC0045877, 0xC0045878  # FIFREEZE, FITHAW of linux/fs.h
# Before, the snapshot of a frozen volume fails: it wants to freeze it itself.
_NESTS_SINCE = (6, 8)


def can_hold_for_snapshots() -> bool:
    """Whether the kernel lets device mapper freeze what is frozen already."""
    match = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return match is not None and (int(match[1]), int(match[2])) >= _NESTS_SINCE


@contextmanager
def frozen(paths: Sequence[str], limit: float = LIMIT) -> Iterator[None]:
    """The file systems mounted at `paths`, for the time of the block.

    Raises: StorageError when one cannot be frozen, or when the block took too long.
    """
    opened: List[int] = []
    over = threading.Event()
    try:
        for path in paths:
            with reported("open the volume", path):
                opened.append(os.open(path, home.DIRECTORY))
        with _limited(opened, limit, over):
            for path, volume in zip(paths, opened):
                with reported("freeze the volume", path):
                    fcntl.ioctl(volume, _FREEZE, 0)
            yield
        if over.is_set():
            raise StorageError(
                paths[0], f"was frozen for longer than {limit:g} s and had to be let go"
            )
    finally:
        for volume in opened:
            os.close(volume)


@contextmanager
def _limited(volumes: Sequence[int], limit: float, over: threading.Event) -> Iterator[None]:
    """Thaws all volumes at the end of the block, or when it takes longer than `limit`."""

    def give_up() -> None:
        over.set()
        _thaw(volumes)

    timer = threading.Timer(limit, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        _thaw(volumes)


def _thaw(volumes: Sequence[int]) -> None:
    """One that is not frozen says EINVAL, which is fine."""
    for volume in volumes:
        with suppress(OSError):
            fcntl.ioctl(volume, _THAW, 0)
