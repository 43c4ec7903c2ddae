"""Parallel tests: a killed worker leaves nothing of its labs on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab import leftovers
from lab.namespaces import prefix, wait_until

ROOT = Path(__file__).parents[2]
DIES = """
import os, signal
from pathlib import Path
from lab import FsrvpdProcess, Lab, Samba, Share, leftovers
from lab.namespaces import prefix

def test_dies():
    lab = Lab()
    samba = Samba(lab, [Share("data", lab.volume("btrfs", "data"))])
    samba.start()
    FsrvpdProcess(lab, samba).start()
    assert leftovers.with_prefix(prefix(os.getpid()))
    Path(__file__).with_name("pid").write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)

def test_another():
    with Lab() as lab:
        lab.run(["true"])
"""


def test_a_killed_worker_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_dies.py").write_text(DIES)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    # Without a directory of its own it would remove those of earlier runs, which may be too deep.
    argv = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider"]
    argv += ["--basetemp", str(tmp_path / "temporary"), str(tmp_path)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    done = subprocess.run(
        argv,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed while running" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    pid = int((tmp_path / "pid").read_text())
    wait_until("nothing is left", lambda: not leftovers.with_prefix(prefix(pid)))
