"""Modules that may be imported before a command sends its first byte.

Imports take most of a command's time. smbd starts `fsrvp-snap` for every snapshot, and scripts
call `fsrvpctl` repeatedly. Measure the cost of a module before adding it here:
`python -X importtime`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STARTED = {
    "fsrvpd",
    "fsrvpd.command_line",
    "fsrvpd.ctl",
    "fsrvpd.ctl.client",
    "fsrvpd.errors",
    "fsrvpd.run_command",
    "fsrvpd.samba_command_line",
    "fsrvpd.unix_socket",
    "samba_hooks",
    "samba_hooks.tools",
}
PING = STARTED | {
    "fsrvpd.ctl.main",
    "fsrvpd.ctl.messages",
    "fsrvpd.ctl.render",
    "fsrvpd.ctl.send",
    "fsrvpd.table",
    "fsrvpd.terminal",
}
SNAP = STARTED | {"fsrvpd.ctl.snap", "fsrvpd.terminal"}
SLOW = {
    *("asyncio", "bz2", "cffi", "concurrent", "ctypes", "dataclasses", "email", "hashlib"),
    *("inspect", "logging", "lzma", "multiprocessing", "pathlib", "random", "secrets", "shutil"),
    *("sqlite3", "ssl", "tempfile", "unittest", "urllib", "uuid", "xml", "zlib"),
}

SCRIPT = """
import sys
before = set(sys.modules)
from fsrvpd import unix_socket
def connect(connection, path):
    print(path, *sorted(set(sys.modules) - before))
    raise SystemExit
unix_socket.connect = connect
from {module} import main
main({arguments!r})
"""


def imported(module: str, arguments: list[str], directory: Path) -> tuple[str, set[str]]:
    """Return the socket's path, and the modules that are loaded when the command connects to it.

    testparm reports `directory` for every directory.
    """
    testparm = directory / "testparm"
    testparm.write_text(f"#!/bin/sh\necho {directory}\n")
    testparm.chmod(0o755)
    script = SCRIPT.format(module=module, arguments=arguments)
    environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    path, *modules = done.stdout.split()
    return path, set(modules)


@pytest.mark.parametrize(
    ("module", "arguments", "socket", "allowed"),
    [
        ("fsrvpd.ctl.main", ["fsrvpd", "ping"], "fsrvpd/control.socket", PING),
        ("fsrvpd.ctl.snap", ["check", "/srv/data"], "fsrvpd-snap/socket", SNAP),
    ],
    ids=["fsrvpctl fsrvpd ping", "fsrvp-snap check"],
)
def test_a_command_imports_what_it_needs(
    module: str, arguments: list[str], socket: str, allowed: set[str], tmp_path: Path
) -> None:
    path, modules = imported(module, arguments, tmp_path)
    assert path == f"{tmp_path}/{socket}"
    ours = {name for name in modules if name.split(".")[0] in ("fsrvpd", "samba_hooks")}
    assert ours == allowed
    assert not {name.split(".")[0] for name in modules} & SLOW
