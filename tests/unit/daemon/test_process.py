"""The pid file, readiness, and an exit that does not wait for stuck threads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.daemon.process import PidFile, notify
from fsrvpd.errors import ConfigError

HOLDER = """
import sys
from fsrvpd.daemon.process import PidFile
held = PidFile(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""
BEGINS_ANEW = """
import os, threading
from fsrvpd.daemon.process import begin_anew, has_begun_anew
print(os.getpid(), threading.active_count(), has_begun_anew(), flush=True)
threading.Thread(target=threading.Event().wait).start()
if not has_begun_anew():
    begin_anew()
os._exit(0)
"""
STUCK = """
import threading
from fsrvpd.daemon import process
process.THREADS_TIMEOUT = 0.1
threading.Thread(target=threading.Event().wait).start()
process.exit_without_stuck_threads()
"""


def test_a_pid_file_holds_the_process_id_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "fsrvpd.pid"
    path.write_text("4711 of a run that crashed, longer than a process id\n")
    file = PidFile(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()
    assert not path.exists()


def test_a_pid_file_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fsrvpd.pid"
    command = [sys.executable, "-c", HOLDER, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=rf"already running .*\(process {holder.pid}\)"):
            PidFile(str(path))


def test_a_pid_file_is_no_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "fsrvpd.pid").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="pid file cannot be created"):
        PidFile(str(tmp_path / "fsrvpd.pid"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_notified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"fsrvpd-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_nobody_is_notified_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_thread_that_is_stuck_does_not_keep_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], timeout=20, check=False)
    assert done.returncode == 0


def test_a_process_that_begins_anew_keeps_its_number_alone(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(BEGINS_ANEW)
    done = subprocess.run([sys.executable, program], stdout=subprocess.PIPE, text=True, check=True)
    first, second = (line.split() for line in done.stdout.splitlines())
    assert first[1:] == ["1", "False"]
    assert second == [first[0], "1", "True"]
