"""A disk that somebody has prepared: its markers disturb nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab import fss
from tests.interop.nas import TORTURE_SHARE, Nas

ID = "{0B5C1D2E-0000-4C39-9D1C-3B1E0A6A5D11}"
FIELDS = {
    "fsrvpd": 2,
    "provider": "reflink",
    "shadow_copy_set_id": ID,
    "shadow_copy_id": ID,
    "share": "vault",
    "server": "NAS",
    "created": 1.5,
    "path": "vault",
    "keep": False,
    "source": "",
    "state": "x",
}
TEXT = json.dumps(FIELDS)
HOSTILE = [
    "[" * 1000,
    TEXT.replace("1.5", "9" * 600),
    TEXT.replace("1.5", "NaN"),
    TEXT.replace("1.5", "1e400"),
    TEXT.replace("1.5", "true"),
    TEXT.replace('"vault"', "7"),
    TEXT.replace('"vault"', '"a\\u0000b"'),
    TEXT.replace('"vault"', '"a\\ud800b"'),
    TEXT.replace('"path": "vault"', '"path": "../../etc"'),
    TEXT.replace('"path": "vault"', '"path": "/etc"'),
    TEXT.replace("false", '"no"'),
    TEXT.replace(ID, "{1}"),
    TEXT.replace("reflink", "x" * 300),
]


@pytest.fixture(scope="module")
def prepared(nas: Nas) -> Path:
    """Markers that fsrvpd never wrote, among them some that are no links."""
    [copy] = fss.create_expose(nas.samba, "vault")
    fss.delete(nas.samba, copy)
    markers = nas.lab.seen(nas.volumes["vault"] / ".fsrvpd/.marks")
    for number, text in enumerate(HOSTILE):
        os.symlink(text, markers / f"2026.11.21-08.30.{number:02}")
    os.symlink(TEXT, markers / "x")
    (markers / "2026.11.21-09.00.00").mkdir()
    os.mkfifo(markers / "2026.11.21-09.00.01")
    os.mknod(markers / "2026.11.21-09.00.02", 0o020600, os.makedev(1, 5))
    return markers


def test_the_other_volumes_are_compared_and_every_request_is_answered(
    nas: Nas, prepared: Path
) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    [snapshot] = nas.daemon.ask("list-snapshots")
    assert snapshot["copy"].lower() == f"{{{copy.copy_id}}}"
    assert nas.daemon.ask("prune") == []
    log = nas.daemon.read_log()
    assert f"2026.11.21-08.30.00 and {len(HOSTILE) + 3} others: not a marker" in log
    assert "please report this" not in log
    fss.delete(nas.samba, copy)
    assert len(list(prepared.iterdir())) == len(HOSTILE) + 4, "what is not ours is left alone"


def test_a_share_on_the_prepared_volume_has_copies(nas: Nas, prepared: Path) -> None:
    [copy] = fss.create_expose(nas.samba, "vault")
    assert fss.get_mapping(nas.samba, copy) == copy
    fss.delete(nas.samba, copy)
    assert nas.daemon.calls()[-1].method == "DeleteShareMapping"
