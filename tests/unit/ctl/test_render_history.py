"""The history for people."""

from __future__ import annotations

from typing import Any

from fsrvpd.ctl.render_history import freeze, history

ONE: dict[str, Any] = {
    "set": "{1}",
    "client": "192.0.2.1",
    "account": "LAB\\b",
    "shares": ["data", "more"],
    "started": 1e9,
    "committed": None,
    "freeze_ms": None,
    "completed": None,
    "ended": 1e9,
    "outcome": "failed",
    "result": "VSS_E_INSUFFICIENT_STORAGE (0x8004231f)",
    "reason": "/vol: No space left on device",
}
REFUSAL = {
    "event": "call-refused",
    "account": "LAB\\clerk",
    "client": "192.0.2.9",
    "method": "IsPathSupported",
    "result": "E_ACCESSDENIED",
    "share": "data",
    "reason": "not a backup operator",
    "next_step": "net sam rights grant 'LAB\\clerk' SeBackupPrivilege",
    "first": 1e9,
    "last": 1e9,
    "times": 13,
}


def test_a_set_and_a_refusal() -> None:
    shown = history({"sets": [ONE], "refusals": [REFUSAL], "more": None})
    head, line, why, _, _, who, *_ = shown.splitlines()
    assert head.split() == ["STARTED", "OUTCOME", "FREEZE", "CLIENT", "SHARES"]
    assert line.endswith("failed   -       192.0.2.1  data, more")
    assert why == "  VSS_E_INSUFFICIENT_STORAGE (0x8004231f): /vol: No space left on device"
    assert who.endswith("LAB\\clerk at 192.0.2.9: IsPathSupported data E_ACCESSDENIED, 13 times")
    assert "next: net sam rights grant 'LAB\\clerk'" in shown


def test_nothing() -> None:
    assert history({"sets": [], "refusals": [], "more": None}) == "nothing happened in that time"
    assert history({"sets": [], "refusals": [REFUSAL], "more": None}).startswith("no shadow copy")


def test_times_of_freezes() -> None:
    assert [freeze(each) for each in (None, 3.94, 2500.0)] == ["-", "3.9 ms", "2.5 s"]
