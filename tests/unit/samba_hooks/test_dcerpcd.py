"""Moving Samba's own agent by renaming; by dpkg-divert: tests/contract/samba."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.errors import ConfigError
from samba_hooks import dcerpcd


@pytest.fixture
def libexec(tmp_path: Path) -> Path:
    directory = tmp_path / "lib exec"
    directory.mkdir()
    helper = directory / "rpcd_fsrvp"
    helper.write_text("#!/bin/sh\n")
    helper.chmod(0o755)
    return directory


def look(libexec: Path) -> dcerpcd.OwnAgent:
    return dcerpcd.own_agent(["/nonexistent", str(libexec)])


def test_found_where_it_stands(libexec: Path) -> None:
    assert look(libexec) == dcerpcd.OwnAgent(str(libexec), in_the_way=True, moved=False)


def test_a_samba_without_it_needs_nothing(tmp_path: Path) -> None:
    agent = dcerpcd.own_agent([str(tmp_path)])
    assert agent == dcerpcd.OwnAgent(None, in_the_way=False, moved=False)
    assert dcerpcd.divert(agent) == dcerpcd.undivert(agent) == []


def test_there_and_back_again(libexec: Path) -> None:
    before = sorted(os.listdir(libexec))
    for _ in range(2):
        dcerpcd.divert(look(libexec))
        assert look(libexec) == dcerpcd.OwnAgent(str(libexec), in_the_way=False, moved=True)
    assert not list(libexec.glob("rpcd_*")), "samba-dcerpcd runs whatever is called so"
    for _ in range(2):
        dcerpcd.undivert(look(libexec))
        assert look(libexec).in_the_way
    assert sorted(os.listdir(libexec)) == before


def test_dry_run_shows_and_does_nothing(libexec: Path) -> None:
    shown = dcerpcd.divert(look(libexec), dry_run=True)
    assert shown == [f"mv '{libexec}/rpcd_fsrvp' '{libexec}/replaced-by-fsrvpd.rpcd_fsrvp'"]
    assert look(libexec).in_the_way
    dcerpcd.divert(look(libexec))
    assert dcerpcd.undivert(look(libexec), dry_run=True)
    assert look(libexec).moved


def test_an_upgrade_that_brought_it_back_is_undone(libexec: Path) -> None:
    dcerpcd.divert(look(libexec))
    (libexec / "rpcd_fsrvp").write_text("#!/bin/sh\nnew\n")
    (libexec / "rpcd_fsrvp").chmod(0o755)
    dcerpcd.divert(look(libexec))
    assert not look(libexec).in_the_way
    dcerpcd.undivert(look(libexec))
    assert "new" in (libexec / "rpcd_fsrvp").read_text()


def test_a_failure_names_both_places(libexec: Path) -> None:
    agent = look(libexec)
    (libexec / "rpcd_fsrvp").unlink()
    with pytest.raises(ConfigError, match=r"rpcd_fsrvp: cannot be moved to .*replaced-by"):
        dcerpcd.divert(agent)
