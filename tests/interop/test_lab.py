"""The lab itself: it changes nothing on the machine and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import CommandFailed, Lab, LabError, Samba, Share, leftovers
from lab.namespaces import wait_until

BUSY_LAB = """
import sys
from lab import Lab, Samba, Share
with Lab() as lab:
    samba = Samba(lab, [Share("data", lab.volume("btrfs", "data"))])
    samba.start()
    print(lab.directory, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_lab_ends_with_its_creator(number: signal.Signals) -> None:
    creator = subprocess.Popen(
        [sys.executable, "-c", BUSY_LAB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with creator:
        assert creator.stdout is not None
        directory = creator.stdout.readline().strip()
        assert directory, "the lab could not be made"
        assert leftovers.with_prefix(directory)
        creator.send_signal(number)
    wait_until("the lab is gone", lambda: not leftovers.with_prefix(directory))


def test_closing_ends_what_runs_and_frees_what_is_mounted() -> None:
    with Lab() as lab:
        volume = lab.volume("xfs", "vault")
        sleeper = lab.popen(["sleep", "1000"])
        assert leftovers.with_prefix(str(lab.directory))
        assert lab.seen(volume).is_mount()
        assert not volume.is_mount()
    assert not leftovers.with_prefix(str(lab.directory))
    assert sleeper.poll() is not None
    assert not os.path.exists(f"/proc/{sleeper.pid}")


def test_closing_ends_what_is_stopped() -> None:
    with Lab() as lab:
        sleeper = lab.popen(["sleep", "1000"])
        sleeper.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{sleeper.pid}/stat")
        wait_until("it is stopped", lambda: stat.read_text().split()[2] == "T")
    assert not leftovers.with_prefix(str(lab.directory))


def test_a_failure_shows_what_was_run_and_said() -> None:
    with Lab() as lab, pytest.raises(CommandFailed) as failed:
        lab.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    for part in ("sh -c", "exit status 7", "out", "err"):
        assert part in str(failed.value)


def test_a_command_that_hangs_is_ended() -> None:
    with Lab() as lab:
        with pytest.raises(LabError, match=r"sleep 1000: no end after 0\.2 s"):
            lab.run(["sleep", "1000"], timeout=0.2)
        names = ["sh", "-c", "cat /proc/[0-9]*/comm"]
        wait_until("sleep is gone", lambda: "sleep" not in lab.run(names).stdout)


def test_accounts_and_samba_are_private() -> None:
    before = Path("/etc/passwd").read_bytes()
    with Lab() as lab:
        samba = Samba(lab, [Share("data", lab.volume("btrfs", "data"))])
        samba.start()
        user = samba.add_user("labrat")
        samba.write("data", "mine.txt", "mine\n", user=user)
        assert samba.read("data", "mine.txt", user=user) == "mine\n"
        assert "labrat" in lab.run(["id", "-nu", "labrat"]).stdout
        assert Path("/etc/passwd").read_bytes() == before
