"""One holder at a time; the kernel ends what a killed process held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.locks import Lock

HOLD = """
import sys
from pathlib import Path
from fsrvpd.requestor.state.locks import Lock
assert Lock(Path(sys.argv[1]), "process of a test").acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "one"


def test_a_lock_has_one_holder(path: Path) -> None:
    first, second = Lock(path, "first"), Lock(path, "second")
    assert first.acquire()
    assert not second.acquire()
    assert second.held_by() == "first"
    first.release()
    assert second.acquire()
    assert first.held_by() == "second"


def test_nothing_is_left_of_a_lock(path: Path) -> None:
    with Lock(path, "me") as lock:
        assert lock.acquire()
        assert path.exists()
    assert not path.exists()
    assert lock.held_by() == ""


def test_a_lock_is_waited_for(path: Path) -> None:
    holder, now = Lock(path, "holder"), [0.0]
    assert holder.acquire()

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 1:
            holder.release()

    assert Lock(path, "me").acquire(2.0, clock=lambda: now[0], sleep=sleep)
    assert 1 < now[0] < 1.3


def test_waiting_ends(path: Path) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with Lock(path, "holder") as holder:
        assert holder.acquire()
        assert not Lock(path, "me").acquire(2.0, clock=lambda: now[0], sleep=sleep)
    assert now[0] == pytest.approx(2.0)


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "held\n"
        assert not Lock(path, "me").acquire()
        assert Lock(path, "me").held_by() == "process of a test"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with Lock(path, "me") as lock:
        assert lock.acquire()


def test_a_holder_shows_nothing_that_a_terminal_obeys(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\x1b[2Jme\n\xff")
    assert Lock(path, "").held_by() == "[2Jme\ufffd"


def test_no_lock_without_a_directory(path: Path) -> None:
    path.parent.write_text("a file")
    with pytest.raises(RequestorError, match="no lock"):
        Lock(path, "me").acquire()


def test_a_process_that_inherits_a_lock_holds_it(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock", "process 5")
    assert lock.acquire()
    assert lock.descriptor is not None
    inherited = os.dup(lock.descriptor)
    lock.leave()
    lock.leave()
    assert lock.descriptor is None
    assert not Lock(lock.path, "other").acquire()
    os.close(inherited)
    with Lock(lock.path, "other") as other:
        assert other.acquire()
