from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import Share, ShareLocation, SnapshotRequest
from fsrvpd.providers.catalog.marker import marker_for
from fsrvpd.providers.command.hooks import Hooks

ID = "{8A2E1C5B-0000-4000-8000-00000000ABCD}"
TIMESTAMP = "2026.11.18-11.06.40"
PRINT = '#!/bin/sh\necho "$0 $*"\nenv | grep ^FSRVPD_ | sort\n'


@pytest.fixture
def options(tmp_path: Path) -> Dict[str, str]:
    """Commands that print how they were called."""
    script = tmp_path / "print.sh"
    script.write_text(PRINT)
    script.chmod(0o755)
    return {
        "check path command": "/bin/true",
        "create command": f"{script} --of 'a b'",
        "delete command": f"{script} --delete",
    }


def share(options: Dict[str, str]) -> Share:
    return Share("data", "/srv/data", False, options=options)


def request(options: Dict[str, str], *, writable: bool = False) -> SnapshotRequest:
    location = ShareLocation(share(options), "volume", "/srv", "command", "/srv/data")
    return SnapshotRequest(ID, ID, location, writable, 1.5)


def hooks(options: Dict[str, str]) -> Hooks:
    return Hooks(lambda share: options)


def test_a_share_with_its_commands_is_served(options: Dict[str, str]) -> None:
    assert hooks(options).why_not(share(options), "/srv/data") is None


@pytest.mark.parametrize("missing", ["create command", "delete command"])
def test_a_share_without_a_command_is_not(options: Dict[str, str], missing: str) -> None:
    reason = hooks(options).why_not(share({**options, missing: " "}), "/srv/data")
    assert reason == f"fsrvp:{missing} is not set for the share data"


def test_a_share_that_the_check_command_refuses(options: Dict[str, str]) -> None:
    reason = hooks(options).why_not(
        share({**options, "check path command": "/bin/false"}), "/srv/data"
    )
    assert "/bin/false failed (exit status 1)" in str(reason)


@pytest.mark.parametrize(
    ("command", "why"),
    [("true", "absolute path"), ("/bin/true 'open", "quot")],
)
def test_a_command_that_cannot_be_parsed(options: Dict[str, str], command: str, why: str) -> None:
    given = share({**options, "check path command": command})
    assert why in str(hooks(options).why_not(given, "/srv/data"))


@pytest.mark.parametrize(("writable", "word"), [(False, "no"), (True, "yes")])
def test_the_create_command_is_called_as_by_vfs_shell_snap(
    options: Dict[str, str], tmp_path: Path, writable: bool, word: str
) -> None:
    asked = request(options, writable=writable)
    with (tmp_path / "output").open("w+b") as output:
        hooks(options).create(asked, marker_for(asked, TIMESTAMP), output.fileno())
        printed = os.pread(output.fileno(), 1000, 0).decode().splitlines()
    assert printed == [
        f"{tmp_path}/print.sh --of a b /srv/data",
        f"FSRVPD_NAME=fsrvp-{ID}_GMT-{TIMESTAMP}",
        f"FSRVPD_SHADOW_COPY={ID}",
        "FSRVPD_SHARE=data",
        f"FSRVPD_WRITABLE={word}",
    ]


def test_the_delete_command_gets_directory_and_path(tmp_path: Path) -> None:
    script, called = tmp_path / "delete.sh", tmp_path / "called"
    script.write_text(f'#!/bin/sh\necho "$*" > {called}\n')
    script.chmod(0o755)
    options = {"delete command": str(script)}
    marker = marker_for(request(options), TIMESTAMP)
    with (tmp_path / "lock").open("w") as lock:
        hooks(options).delete(marker, "/srv/data", "/snapshots/1", lock.fileno())
    assert called.read_text() == "/srv/data /snapshots/1\n"


def test_a_delete_command_that_is_not_set(tmp_path: Path) -> None:
    marker = marker_for(request({}), TIMESTAMP)
    with (
        (tmp_path / "lock").open("w") as lock,
        pytest.raises(
            StorageError,
            match=r"fsrvp:delete command is set neither for its share nor in \[global\]",
        ),
    ):
        hooks({}).delete(marker, "/srv/data", "/snapshots/1", lock.fileno())
