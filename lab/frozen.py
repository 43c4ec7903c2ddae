"""A file system that hangs: every write to it waits until it is thawed.

A process outside the lab freezes it, and thaws it however the creator of that process ends:
a process that waits for a frozen file system cannot be killed, and the file system cannot be
unmounted.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from lab.namespaces import Lab, LabError

HOLD = """
import fcntl, os, sys
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
volume = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(volume, FIFREEZE, 0)
try:
    print("frozen", flush=True)
    sys.stdin.read()
finally:
    fcntl.ioctl(volume, FITHAW, 0)
"""


@contextmanager
def frozen(lab: Lab, volume: Path) -> Iterator[None]:
    """Freeze a volume of the lab inside the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lab.seen(volume))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != b"frozen\n":
            raise LabError(f"{volume} cannot be frozen")
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(30)
