"""The shares in doctor: one by one, or by what they have in common."""

from __future__ import annotations

from typing import Any

from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.doctor import share_checks
from fsrvpd.ctl.doctor.result import Severity
from fsrvpd.errors import FsrvpdError
from tests.unit.ctl.doctor.examples import environment

OK, NOTE, WARN = Severity.OK, Severity.NOTE, Severity.WARN


def test_shares() -> None:
    def ask(message: str, name: str) -> Any:
        if name == "broken":
            raise FsrvpdError("the registry is locked")
        supported = name == "data"
        answer = {"supported": supported, "directory": "/d", "provider": "btrfs", "reason": "tmpfs"}
        return {**answer, "volume_root": "/", "warnings": ["users write to /"], "left_out": []}

    findings = list(share_checks.shares(environment(ask, shares=["data", "tmp", "broken"])))
    assert [(each.topic, each.severity) for each in findings] == [
        ("share data", OK),
        ("share data", WARN),
        ("share tmp", NOTE),
        ("share broken", NOTE),
    ]


def test_shares_without_a_daemon_are_not_listed() -> None:
    def ask(message: str, name: str) -> Any:
        raise NotRunning("nobody")

    assert list(share_checks.shares(environment(ask, shares=["a", "b"]))) == []


def test_ten_thousand_shares_are_a_few_findings_and_questions() -> None:
    names = [f"u{number:05}" for number in range(10_000)]
    asked: list[str] = []

    def ask(message: str, *parameters: str) -> Any:
        asked.append(message)
        if message == "check-path":
            return {"warnings": ["users write to /srv"]}
        place = int(parameters[0].partition("=")[2]) if parameters else 0
        page = [state(number, name) for number, name in enumerate(names)][place : place + 500]
        return {"shares": page, "more": str(place + 500) if place + 500 < len(names) else None}

    def state(number: int, name: str) -> Any:
        if number < 4:
            return {"share": name, "provider": None, "state": "not-ready", "reason": "tmpfs"}
        return {"share": name, "provider": "btrfs", "volume": "/srv", "state": "ready"}

    findings = list(share_checks.shares(environment(ask, shares=names)))
    assert [(each.severity, each.topic, each.text) for each in findings] == [
        (OK, "shares", "9,996 of 10,000 can be copied: 9,996 by btrfs"),
        (NOTE, "shares u00000, u00001, u00002 and 1 more", "no shadow copies: tmpfs"),
        (WARN, "volume /srv", "users write to /srv"),
    ]
    assert len(asked) == 21
