"""Moving Samba's own agent by renaming; by dpkg-divert: tests/contract/samba."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from fsrvpd.errors import ConfigError
from samba_hooks import samba_agent


@pytest.fixture
def libexec(tmp_path: Path) -> Path:
    directory = tmp_path / "lib exec"
    directory.mkdir()
    helper = directory / "rpcd_fsrvp"
    helper.write_text("#!/bin/sh\n")
    helper.chmod(0o755)
    return directory


def look(libexec: Path) -> samba_agent.SambaAgent:
    return samba_agent.find(["/nonexistent", str(libexec)])


def test_found_where_it_stands(libexec: Path) -> None:
    assert look(libexec) == samba_agent.SambaAgent(str(libexec), active=True, moved=False)


def test_a_samba_without_it_needs_nothing(tmp_path: Path) -> None:
    agent = samba_agent.find([str(tmp_path)])
    assert agent == samba_agent.SambaAgent(None, active=False, moved=False)
    assert samba_agent.divert(agent) == samba_agent.undivert(agent) == []


def test_there_and_back_again(libexec: Path) -> None:
    before = sorted(os.listdir(libexec))
    for _ in range(2):
        samba_agent.divert(look(libexec))
        assert look(libexec) == samba_agent.SambaAgent(str(libexec), active=False, moved=True)
    assert not list(libexec.glob("rpcd_*")), "samba-dcerpcd runs whatever is called so"
    for _ in range(2):
        samba_agent.undivert(look(libexec))
        assert look(libexec).active
    assert sorted(os.listdir(libexec)) == before


def test_dry_run_shows_and_does_nothing(libexec: Path) -> None:
    shown = samba_agent.divert(look(libexec), dry_run=True)
    assert shown == [f"mv '{libexec}/rpcd_fsrvp' '{libexec}/replaced-by-fsrvpd.rpcd_fsrvp'"]
    assert look(libexec).active
    samba_agent.divert(look(libexec))
    assert samba_agent.undivert(look(libexec), dry_run=True)
    assert look(libexec).moved


def test_an_upgrade_that_brought_it_back_is_undone(libexec: Path) -> None:
    samba_agent.divert(look(libexec))
    (libexec / "rpcd_fsrvp").write_text("#!/bin/sh\nnew\n")
    (libexec / "rpcd_fsrvp").chmod(0o755)
    samba_agent.divert(look(libexec))
    assert not look(libexec).active
    samba_agent.undivert(look(libexec))
    assert "new" in (libexec / "rpcd_fsrvp").read_text()


def test_a_newer_helper_is_not_replaced_by_the_one_that_was_moved(libexec: Path) -> None:
    samba_agent.divert(look(libexec))
    (libexec / "rpcd_fsrvp").write_text("#!/bin/sh\nnew\n")
    target = libexec / samba_agent.MOVED
    assert samba_agent.undivert(look(libexec)) == [shlex.join(["rm", str(target)])]
    assert "new" in (libexec / "rpcd_fsrvp").read_text()
    assert not target.exists()


def test_a_failure_names_both_places(libexec: Path) -> None:
    agent = look(libexec)
    (libexec / "rpcd_fsrvp").unlink()
    with pytest.raises(ConfigError, match=r"rpcd_fsrvp cannot be moved to .*replaced-by"):
        samba_agent.divert(agent)


def test_a_dpkg_that_does_not_answer_leaves_the_agent_where_it_is(
    libexec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may be dpkg's: renamed, it would be back with the next upgrade of Samba."""
    for name in ("dpkg-divert", "dpkg-query"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexec sleep 60\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(samba_agent, "_COMMAND_TIMEOUT", 0.2)
    with pytest.raises(ConfigError, match=r"dpkg-query --search .*timed out"):
        samba_agent.divert(look(libexec))
    assert look(libexec).active
