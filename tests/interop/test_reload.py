"""A reload that fails halfway changes nothing, and the next one works."""

from __future__ import annotations

from pathlib import Path

from fsrvpd.samba_command_line import control_socket, snap_socket
from tests.interop.nas import Nas

PORT = 19101
CHANGES = {
    "fsrvpd:metrics port": str(PORT),
    "fsrvpd:admin group": "adm",
    "fsrvpd:dialect": "ws2012",
}


def in_force(nas: Nas) -> tuple[bool, int, str]:
    """Return whether metrics are served, the mode of the control socket, and the dialect."""
    metrics = nas.lab.run(["ss", "-Hltn", f"sport = {PORT}"]).stdout
    control = nas.lab.seen(Path(control_socket(str(nas.samba.place("state directory")))))
    mode = control.stat().st_mode & 0o777
    return metrics != "", mode, nas.daemon.ask("status")["dialect"]


def test_a_reload_that_fails_at_its_last_part_changes_no_other(nas: Nas) -> None:
    """The socket of `fsrvp-snap` was deleted, so its mode cannot be set."""
    snap = nas.lab.seen(Path(snap_socket(str(nas.samba.place("pid directory")))))
    aside = snap.with_suffix(".aside")
    before = in_force(nas)
    assert before == (False, 0o600, "current")
    for name, value in CHANGES.items():
        nas.samba.set_option(name, value)
    try:
        snap.rename(aside)
        refused = nas.daemon.ctl("reload-config", check=False)
        assert refused.returncode == 1
        assert "No such file or directory" in refused.stderr
        assert in_force(nas) == before
        aside.rename(snap)
        nas.daemon.ctl("reload-config")
        assert in_force(nas) == (True, 0o660, "ws2012")
    finally:
        for name in CHANGES:
            nas.samba.set_option(name, None)
        nas.daemon.ctl("reload-config")
    assert in_force(nas) == before
