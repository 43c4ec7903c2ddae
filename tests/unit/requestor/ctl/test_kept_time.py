"""What is known of how long a server keeps the sets of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.kept_time import KeptTime


def test_it_is_known_until_a_longer_run_disproves_it(tmp_path: Path) -> None:
    nightly = KeptTime(tmp_path, "nightly")
    assert nightly.seconds() is None
    nightly.was_gone_after(5000.0)
    assert KeptTime(tmp_path, "nightly").seconds() == 5000.0
    assert KeptTime(tmp_path, "../nightly").seconds() is None
    nightly.was_kept_for(4000.0)
    assert nightly.seconds() == 5000.0
    nightly.was_kept_for(6000.0)
    assert nightly.seconds() is None
    nightly.was_kept_for(1.0)


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"[]", b'{"seconds": []}', b'{"seconds": "x"}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, damaged: bytes) -> None:
    nightly = KeptTime(tmp_path, "nightly")
    nightly.was_gone_after(1.0)
    [path] = tmp_path.rglob("*.json")
    path.write_bytes(damaged)
    assert nightly.seconds() is None


def test_what_cannot_be_written_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("no directory")
    nightly = KeptTime(tmp_path, "nightly")
    nightly.was_gone_after(1.0)
    assert nightly.seconds() is None
