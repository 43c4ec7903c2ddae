"""`fsrvpctl setup` and `--undo`: what is run, and what must be confirmed first."""

from __future__ import annotations

import argparse
from typing import Any, Optional

import pytest

from fsrvpd.ctl.setup import command, registry_shares
from fsrvpd.ctl.setup.registry_shares import Change
from fsrvpd.errors import ConfigError, FsrvpdError
from samba_hooks import samba_agent
from samba_hooks.samba_agent import SambaAgent

ADD = Change("/smb.conf", "old", "new", True, "add `registry shares = yes`")


class Host:
    """The state of Samba's agent and of smb.conf; `done` lists the changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.agent = SambaAgent("/usr/libexec/samba", active=True, moved=False)
        self.change: Optional[Change] = ADD
        self.serves_pipe = True
        self.error: Optional[Exception] = None
        self.is_on = True  # registry shares, once smb.conf is changed
        self.others: list[str] = []  # shares in the registry
        self.done: list[str] = []
        for target, name, value in (
            (samba_agent, "find", lambda: self.agent),
            (samba_agent, "divert", lambda agent, dry_run: self._move("divert", dry_run)),
            (samba_agent, "undivert", lambda agent, dry_run: self._move("undivert", dry_run)),
            (registry_shares, "addition", lambda samba: self.change),
            (registry_shares, "removal", lambda samba: self.change),
            (registry_shares, "apply", lambda change, tools: self.done.append(change.after)),
            (command, "_configuration", lambda arguments: self),
            (command, "_others_shares", lambda arguments: self.others),
            (command, "_serves_pipe", lambda arguments: self.serves_pipe),
            (command, "samba_tools", lambda arguments: self),
        ):
            monkeypatch.setattr(target, name, value)

    @property
    def registry_shares(self) -> bool:
        return self.is_on

    def _move(self, verb: str, dry_run: bool) -> list[str]:
        if self.error is not None:
            raise self.error
        if not dry_run:
            self.done.append(verb)
        return [f"dpkg-divert {verb}"]

    def run(self, *argv: str) -> str:
        self.done.append(" ".join(argv))
        return ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def setup(**given: bool) -> int:
    flags = {"undo": False, "dry_run": False, "yes": False, "agent_only": False, **given}
    arguments: Any = argparse.Namespace(**flags)
    return command.setup(arguments)


def test_setup_disables_the_agent_and_enables_registry_shares(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(yes=True) == 0
    assert host.done == ["divert", "new", "smbcontrol all reload-config"]
    assert capsys.readouterr().out.splitlines()[0] == "Samba's own agent: ran dpkg-divert divert"


def test_a_dry_run_changes_nothing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(dry_run=True) == 0
    assert host.done == []
    printed = capsys.readouterr().out
    assert "would run dpkg-divert divert" in printed
    assert "would add `registry shares = yes`" in printed


def test_smb_conf_is_not_changed_without_consent(host: Host) -> None:
    with pytest.raises(FsrvpdError, match="answer yes, or give --yes"):
        setup()
    assert host.done == ["divert"]


def test_what_is_done_is_not_done_again(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.agent = SambaAgent("/usr/libexec/samba", active=False, moved=True)
    host.change = None
    assert setup() == 0
    assert host.done == []
    assert capsys.readouterr().out.count("nothing to do") == 2


def test_a_samba_without_an_agent(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.agent = SambaAgent(None, active=False, moved=False)
    assert setup(agent_only=True) == 0
    assert "this Samba has none" in capsys.readouterr().out


@pytest.mark.parametrize("moved", [True, False])
def test_the_agent_is_restored_where_it_serves_the_pipe(host: Host, moved: bool) -> None:
    host.serves_pipe = False
    host.agent = SambaAgent("/usr/libexec/samba", active=not moved, moved=moved)
    assert setup(agent_only=True) == 0
    assert host.done == (["undivert"] if moved else [])


def test_an_agent_that_cannot_be_moved_does_not_stop_the_rest(host: Host) -> None:
    host.error = ConfigError("/usr/libexec is read-only")
    assert setup(yes=True) == command.EXIT_FAILED
    assert "new" in host.done
    with pytest.raises(ConfigError, match="read-only"):
        setup(agent_only=True)


def test_undo(host: Host) -> None:
    host.agent = SambaAgent("/usr/libexec/samba", active=False, moved=True)
    assert setup(undo=True, yes=True) == 0
    assert host.done == ["undivert", "new", "smbcontrol all reload-config"]
    host.done.clear()
    assert setup(undo=True, agent_only=True) == 0
    assert host.done == ["undivert"]


def test_a_change_without_effect_is_undone(host: Host) -> None:
    host.is_on = False
    with pytest.raises(ConfigError, match="left as it was"):
        setup(yes=True)
    assert host.done == ["divert", "new", "old"]


def test_undo_leaves_what_others_need(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.others = ["theirs"]
    assert setup(undo=True, yes=True) == 0
    assert host.done == []
    assert "left on: theirs would no longer be served" in capsys.readouterr().out


def test_an_agent_that_cannot_be_put_back_does_not_stop_the_rest(host: Host) -> None:
    host.agent = SambaAgent("/usr/libexec/samba", active=False, moved=True)
    host.error = ConfigError("/usr/libexec is read-only")
    assert setup(undo=True, yes=True) == command.EXIT_FAILED
    assert host.done[0] == "new"
    with pytest.raises(ConfigError, match="read-only"):
        setup(undo=True, agent_only=True)
