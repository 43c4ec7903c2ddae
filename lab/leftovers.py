"""Find what is left of a lab: processes, loop devices, mounts and directories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Optional


def pid_namespace(pid: int) -> Optional[str]:
    """Return the name of a process's pid namespace, or None if it ended or is not readable."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def of_lab(directory: Path, namespace: Optional[str]) -> list[str]:
    """Describe everything that is left of one lab. Empty if nothing is."""
    found = [f"process {pid}" for pid in _processes_in(namespace)]
    found += _loop_devices(str(directory) + "/")
    found += _mounts(str(directory))
    if directory.exists():
        found.append(f"directory {directory}")
    return found


def with_prefix(prefix: str) -> set[str]:
    """Return loop devices, mounts and directories whose path begins with the prefix."""
    parent, name = os.path.split(prefix)
    directories = [f"directory {path}" for path in Path(parent).glob(name + "*")]
    return {*_loop_devices(prefix), *_mounts(prefix), *directories}


def _processes_in(namespace: Optional[str]) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and namespace and pid_namespace(int(entry)) == namespace:
            yield int(entry)


def _loop_devices(prefix: str) -> list[str]:
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            path = backing.read_text().strip()
        except OSError:  # detached since the directory was listed
            continue
        if path.startswith(prefix):
            found.append(f"loop device {backing.parts[3]} on {path}")
    return found


def _mounts(prefix: str) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [f"mount {point}" for point in points if point.startswith(prefix)]
