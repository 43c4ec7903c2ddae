"""`check`: findings on one screen."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Iterator, Sequence

import pytest

from fsrvpd.requestor.checks.findings import Finding, Severity, ShareReport
from fsrvpd.requestor.ctl import check, configuration
from fsrvpd.requestor.ctl.main import main
from tests.unit.requestor.ctl.fake_requestor import record

ROOT = record().copies[0].root
GOOD = ShareReport("//nas/data", ROOT, [Finding(Severity.OK, "name", "\\\\nas\\data")])
BAD = ShareReport(
    "//nas/\x1b[31mvm",
    ROOT,
    [
        Finding(Severity.OK, "name", "\\\\nas\\vm"),
        Finding(Severity.FAIL, "read", "3 of 10 files cannot be read " + "x" * 60, "do this"),
    ],
)


def checking(monkeypatch: pytest.MonkeyPatch, *reports: ShareReport) -> list[bool]:
    closed: list[bool] = []

    def shares(given: Sequence[str]) -> Iterator[ShareReport]:
        assert list(given) == [each.given for each in reports]
        yield from reports

    checks = SimpleNamespace(shares=shares, close=lambda: closed.append(True))
    monkeypatch.setattr(check, "open_check", lambda settings: checks)
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    monkeypatch.setenv("COLUMNS", "80")
    return closed


def test_each_share_has_its_findings_and_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = checking(monkeypatch, GOOD, BAD)
    assert main(["check", GOOD.given, BAD.given]) == 1
    assert closed == [True]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "//nas/data",
        "  ok    name      \\\\nas\\data",
        "  a backup will work",
        "//nas/\\x1b[31mvm",
        "  ok    name      \\\\nas\\vm",
        "  FAIL  read      3 of 10 files cannot be read",
        " " * 20 + "x" * 60,
        "                  → do this",
        "  a backup will FAIL: 1 of the above",
    ]


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    checking(monkeypatch, GOOD)
    assert main(["check", GOOD.given]) == 0


def test_json_is_a_report_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checking(monkeypatch, GOOD, BAD)
    assert main(["--json", "check", GOOD.given, BAD.given]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == GOOD.as_json()
    assert second == BAD.as_json()


def test_a_warning_is_no_failure_and_not_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Finding(Severity.WARN, "read", "may not open secret")
    report = GOOD._replace(findings=[*GOOD.findings, missing])
    checking(monkeypatch, report)
    assert main(["check", report.given]) == 0
    end = capsys.readouterr().out.splitlines()[-1]
    assert end == "  a backup will work, but most likely not as intended"
