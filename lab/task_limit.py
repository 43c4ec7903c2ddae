"""A limit on the tasks of a process, as systemd's TasksMax= sets it: no thread and no process
more can be started."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

ROOTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))  # control groups v1, v2
UNLIMITED = "max"


def controller() -> Path:
    """Return the root of the hierarchy that counts tasks."""
    return next(root for root in ROOTS if (root / "cgroup.procs").exists())


@contextmanager
def no_more_tasks(pid: int, *, spare: int = 0) -> Iterator[None]:
    """Let a process and its children start no thread and no process inside the block, except
    `spare` of them."""
    root = controller()
    before = home(pid, root)
    group = root / f"fsrvpd-lab.{os.getpid()}"
    group.mkdir()
    try:
        processes = [pid, *children(pid)]
        for process in processes:
            (group / "cgroup.procs").write_text(str(process))
        now = int((group / "pids.current").read_text())
        (group / "pids.max").write_text(str(now + spare))
        yield
    finally:
        (group / "pids.max").write_text(UNLIMITED)
        for each in (group / "cgroup.procs").read_text().split():
            (before / "cgroup.procs").write_text(each)
        group.rmdir()


def home(pid: int, root: Path) -> Path:
    """Return the group in which a process is."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("pids" if root == ROOTS[0] else ""):
            return root / path.lstrip("/")
    return root


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]
