"""How often a set waits for the disk, counted: each wait is 8 ms on a hard disk."""

from __future__ import annotations

import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share, fss
from lab.namespaces import wait_until

FLUSHES = "fsync,fdatasync,syncfs,sync,msync"
METHOD = re.compile(r"event=call opnum=\d+ method=(\w+)")
CALL = re.compile(r"(\d+) +(?:fsync|fdatasync|syncfs|sync|msync)\(")
HISTORY = re.compile(r"(\d+) +fdatasync\(\d+<[^>]*/history\.sqlite3")
REGISTRY = 4  # of a transaction of Samba's registry
STEPS = (
    "PrepareShadowCopySet",
    "CommitShadowCopySet",
    "ExposeShadowCopySet",
    "RecoveryCompleteShadowCopySet",
    "DeleteShareMapping",
)
# Prepare, Commit, Expose, RecoveryComplete, Delete
OF_A_BOOT = (1, 0, REGISTRY, 0, REGISTRY)
PERSISTENT = KEPT = (1, 0, REGISTRY, 1, REGISTRY + 1)


@pytest.fixture(scope="module")
def daemon() -> Iterator[FsrvpdProcess]:
    with Lab() as lab:
        volume = lab.volume("btrfs", "volume")
        kept = Share("kept", volume / "kept", {"fsrvp:keep": "yes"})
        shares = [Share("data", volume / "data"), kept]
        samba = Samba(lab, shares, {"fsrvpd:require rpc integrity": "no"})
        for share in shares:
            lab.run(["btrfs", "subvolume", "create", share.path])
        samba.start()
        running = FsrvpdProcess(lab, samba)
        running.start()
        [copy] = fss.create_expose(samba, "data")  # `.fsrvpd` is made once
        fss.delete(samba, copy)
        yield running
        running.stop()


@pytest.mark.parametrize(
    ("share", "context", "expected"),
    [
        ("data", "backup", OF_A_BOOT),
        ("data", "nas_rollback", PERSISTENT),
        ("kept", "backup", KEPT),
    ],
)
def test_flushes_of_each_step(
    daemon: FsrvpdProcess, tmp_path: Path, share: str, context: str, expected: tuple[int, ...]
) -> None:
    with traced(daemon, tmp_path / "calls") as calls:
        [copy] = fss.create_expose(daemon.samba, share, context=context)
        fss.recovery_complete(daemon.samba, copy)
        fss.delete(daemon.samba, copy)
    found = flushes_by_step(calls.read_text())
    assert tuple(found.get(step, 0) for step in STEPS) == expected
    assert sum(found.values()) == sum(expected)
    assert sum(OF_A_BOOT) <= 9


@contextmanager
def traced(daemon: FsrvpdProcess, output: Path) -> Iterator[Path]:
    """The flushes of the daemon and its workers, and what it logs: the order of both counts."""
    pids = [daemon.pid, *children(daemon.pid)]
    argv = ["strace", "-f", "-y", "-s", "200", "-e", f"trace=write,{FLUSHES}", "-o", str(output)]
    argv += [word for pid in pids for word in ("-p", str(pid))]
    said = output.with_name("said")
    with said.open("w") as errors:
        strace = subprocess.Popen(argv, stderr=errors)
    wait_until(
        "strace is attached",
        lambda: all(f"Process {pid} attached" in said.read_text() for pid in pids),
    )
    yield output
    strace.send_signal(signal.SIGINT)
    strace.wait(20)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def flushes_by_step(calls: str) -> dict[str, int]:
    """A step ends with the line that is logged before its answer. Nobody waits for the thread that
    writes the history."""
    found: dict[str, int] = {}
    number, history = 0, set(HISTORY.findall(calls))
    for line in calls.splitlines():
        flush = CALL.match(line)
        number += flush is not None and flush[1] not in history
        step = METHOD.search(line)
        if step:
            found[step[1]] = found.get(step[1], 0) + number
            number = 0
    found["after the answers"] = number
    return found
