"""A file system that hangs: whoever writes to it waits until it is thawed.

It is frozen and thawed by a process outside the lab, which thaws it however its creator
ends: nothing can end a process that waits for a frozen file system, nor unmount that.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from tests.lab.namespaces import Lab, LabError

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
    """Nothing is written to a volume of the lab while this lasts."""
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
