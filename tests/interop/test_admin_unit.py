"""The systemd unit is hardened, and still leaves root enough for the whole job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from lab import Lab, fss
from lab.unit import UNIT, confined, directive, system_calls
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.test_command_provider import Filer

EXPOSURE = 4.8  # of systemd-analyze's 10; the unit justifies each missing hardening option
DENIED = (
    *("bpf", "chroot", "io_uring_setup", "keyctl", "ptrace", "reboot", "setns", "settimeofday"),
    *("swapon", "unshare"),
)
# Whether a call is denied by the filter: EPERM, even with arguments that make no sense.
TRY = """
import ctypes, errno, json, sys
libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2")
def fails(name):
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    libc.syscall(number, -1, -1, -1, -1, -1, -1)
    return errno.errorcode[ctypes.get_errno()]
json.dump({name: fails(name) for name in sys.argv[1:]}, sys.stdout)
"""


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as nas:
        nas.daemon.stop()
        nas.daemon.start(before=confined())
        yield nas


def test_the_daemon_is_confined(nas: Nas) -> None:
    status = nas.lab.seen(Path("/proc")) / str(nas.daemon.ask("ping")["pid"]) / "status"
    assert "CapBnd:\t00000000" in status.read_text()
    assert "Seccomp:\t2" in status.read_text()


def test_snapshots_and_clones_need_no_more(nas: Nas) -> None:
    for share in (TORTURE_SHARE, "vault"):
        nas.samba.write(share, "kept.txt", "before\n")
        [copy] = fss.create_expose(nas.samba, share, mode="rw", binding="sign")
        nas.samba.write(share, "kept.txt", "after\n")
        assert nas.samba.read(copy.share, "kept.txt") == "before\n"
        fss.recovery_complete(nas.samba, copy)
        fss.delete(nas.samba, copy, binding="sign")
    nas.assert_nothing_is_left()


def test_an_admin_needs_no_more(nas: Nas) -> None:
    assert "0 failed" in nas.daemon.command("doctor").stdout
    assert nas.daemon.ask("prune") == []
    nas.daemon.ctl("reload-config")
    log = nas.daemon.read_log()
    assert "please report" not in log
    assert "Operation not permitted" not in log


def test_commands_of_an_admin_need_no_more() -> None:
    with Lab() as lab:
        filer = Filer(lab)
        filer.samba.start()
        filer.daemon.start(before=confined())
        filer.samba.write("data", "file", "old")
        [copy] = fss.create_expose(filer.samba, "data", binding="sign")
        filer.samba.write("data", "file", "new")
        assert filer.samba.read(copy.share, "file") == "old"
        fss.delete(filer.samba, copy, binding="sign")
        assert filer.left_over() == []


def test_the_filter_denies_what_the_unit_does_not_name(nas: Nas) -> None:
    """Unsharing and joining namespaces are denied by RestrictNamespaces=, which systemd adds."""
    names = [name for name in DENIED if name not in system_calls()]
    assert set(DENIED) - set(names) == {"unshare", "setns"}
    assert directive("RestrictNamespaces") == ["yes"]
    said = nas.lab.run([*confined(), sys.executable, "-c", TRY, *names]).stdout
    assert json.loads(said) == dict.fromkeys(names, "EPERM")


def test_the_unit_is_sound_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "fsrvpd.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/", "/bin/true "))
    argv = ["systemd-analyze", "security", "--offline=true", f"--threshold={round(EXPOSURE * 10)}"]
    done = subprocess.run([*argv, unit], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert verified.returncode == 0, verified.stderr
    assert verified.stderr == ""


def test_it_starts_after_smbd_restarts_and_tells_when_it_is_ready() -> None:
    assert directive("Type") == ["notify"]
    assert directive("Restart") == ["on-failure"]
    assert "smbd.service" in directive("After")
