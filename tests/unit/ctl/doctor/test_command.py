"""`fsrvpctl doctor`: its exit status, and the checks that it skips after a failure."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from fsrvpd.ctl.doctor import command, domain_checks, host_checks, share_checks
from fsrvpd.ctl.doctor.environment import Environment
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.errors import ConfigError
from tests.unit.ctl.doctor.examples import environment

COPIED = Finding(Severity.OK, "self-test", "copied")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """The findings of the only check; the test copy succeeds."""
    found: list[Finding] = []
    about = environment()

    def check(environment: Environment) -> Iterator[Finding]:
        yield from found

    monkeypatch.setattr(host_checks, "CHECKS", (check,))
    monkeypatch.setattr(domain_checks, "CHECKS", ())
    monkeypatch.setattr(share_checks, "CHECKS", ())
    monkeypatch.setattr(
        command, "open_registry", lambda arguments, to_read: SimpleNamespace(close=lambda: None)
    )
    monkeypatch.setattr(command, "samba_tools", lambda arguments: about.tools)
    monkeypatch.setattr(command, "read_configuration", lambda registry: about.configuration)
    monkeypatch.setattr(command, "try_shadow_copy", lambda *_: iter([COPIED]))
    return found


def run(*, as_json: bool = False, no_self_test: bool = False) -> int:
    arguments: Any = SimpleNamespace(
        json=as_json, no_self_test=no_self_test, share=None, user=None, authentication_file=None
    )
    return command.doctor(arguments)


def test_warnings_do_not_fail(findings: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    findings += [Finding(Severity.WARN, "clock", "late"), Finding(Severity.OK, "smbd", "running")]
    assert run() == 0
    assert capsys.readouterr().out.splitlines() == [
        "warn clock: late",
        "ok   smbd: running",
        "ok   self-test: copied",
        "0 failed, 1 warning",
    ]


def test_no_copy_is_made_after_a_failure(
    findings: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    findings.append(Finding(Severity.FAIL, "smbd", "not running", "systemctl enable --now smbd"))
    assert run(as_json=True) == command.EXIT_FOUND
    printed = json.loads(capsys.readouterr().out)
    assert [finding["severity"] for finding in printed] == ["fail", "note"]
    assert printed[1]["text"] == "not run: fix the failures above first"


def test_no_copy_is_made_unless_wanted(
    findings: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(no_self_test=True) == 0
    assert capsys.readouterr().out == "0 failed, 0 warnings\n"


def test_a_refused_configuration_ends_it(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(registry: Any) -> Any:
        raise ConfigError("fsrvpd:dialect = old: no such dialect")

    monkeypatch.setattr(command, "read_configuration", refuse)
    assert run() == command.EXIT_FOUND
    assert "$ fsrvpctl check-config" in capsys.readouterr().out


def test_json_is_printed_whatever_happens(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Iterator[Finding]:
        yield COPIED
        raise OSError(28, "No space left on device", "/srv")

    monkeypatch.setattr(command, "try_shadow_copy", fail)
    assert run(as_json=True) == command.EXIT_FOUND
    copied, last = json.loads(capsys.readouterr().out)
    assert (copied["severity"], last["severity"]) == ("ok", "fail")
    assert "No space left on device: '/srv'" in last["text"]


def test_json_is_printed_when_interrupted(
    findings: list[Finding], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> Iterator[Finding]:
        yield COPIED
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "try_shadow_copy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(as_json=True)
    assert len(json.loads(capsys.readouterr().out)) == 1
