"""`status` for people: one screen."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fsrvpd.ctl.render_status import ago, size, status

STATUS: dict[str, Any] = {
    "running": True,
    "well": True,
    "version": "0.1.0",
    "pid": 7,
    "samba_version": "4.17.12",
    "uptime_seconds": 3 * 86400 + 3661,
    "dialect": "current",
    "pipe": {"path": "/run/np/fssagentrpc", "ours": True, "retaken": 1, "connections": 2},
    "callers": [],
    "shares": [],
    "sets": {"Recovered": 2, "Added": 0},
    "sets_removing": 1,
    "volumes": [],
    "calls": {"SetContext": 4, "StartShadowCopySet": 3},
    "failures": {"FSRVP_E_BAD_STATE (0x80042301)": 2},
    "refusals": [],
    "problems": [],
    "problems_left_out": 0,
    "more": None,
}


def share(name: str, state: str = "ready", age: float = -1) -> dict[str, Any]:
    when = time.time() - age
    backup = {"set": "{1}", "committed": when, "completed": when} if age >= 0 else None
    return {"share": name, "state": state, "reason": "it is on ext4", "last_backup": backup}


def test_a_quiet_server() -> None:
    assert status(STATUS).splitlines() == [
        "fsrvpd 0.1.0 (pid 7) beside Samba 4.17.12",
        "agent      up for 3 d 01:01:01, dialect current",
        "pipe       served by fsrvpd, 2 connections, taken back 1 time",
        "callers    none yet",
        "shares     none",
        "sets       2 Recovered, 1 being removed",
        "kept       0 copies",
        "backups    none yet",
        "calls      7 answered, 2 refused",
        "",
        "all is well",
    ]


def test_whose_the_pipe_is() -> None:
    pipe = {**STATUS["pipe"], "ours": False}
    assert "ANOTHER PROGRAM" in status({**STATUS, "pipe": pipe})
    pipe["path"] = ""
    assert "Samba's own agent" in status({**STATUS, "pipe": pipe})


def test_however_much_there_is_it_is_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = "word " * 60
    many = [share(f"s{number}", "not-ready") for number in range(5000)]
    many += [share(f"r{number}", "ready", number * 60) for number in range(5000)]
    volume = {"free_bytes": 1e9, "size_bytes": 2e12, "snapshots": 3, "kept": 2, "oldest_kept": 1e9}
    refusal = {
        **dict.fromkeys(("account", "client", "method", "share", "result", "reason"), words),
        **{"last": 1e9, "times": 13, "next_step": words},
    }
    shown = status(
        {
            **STATUS,
            "well": False,
            "shares": many,
            "volumes": [{**volume, "volume": f"/v{number}"} for number in range(50)],
            "callers": [{"account": words, "client": "c", "last": 1e9}] * 20,
            "refusals": [refusal] * 200,
            "problems": [{"text": words, "next_step": "fsrvpctl doctor"}] * 100,
            "problems_left_out": 7,
        }
    )
    lines = shown.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "shares     5000 ready, 5000 not" in lines
    assert "           and 4997 more (--json has all)" in lines
    assert "backups    r4999 3 d ago, r4998 3 d ago, r4997 3 d ago, and 4997 more" in lines
    assert "kept       100 copies, the oldest" in shown
    assert "/v0: 1 GB of 2 TB free (0%), 3 snapshots" in shown
    assert "  and 104 more (--json has all)" in lines


def test_a_daemon_that_does_not_run() -> None:
    problem = {"text": "fsrvpd is not running", "next_step": "systemctl start fsrvpd"}
    answer = {"running": False, "well": False, "problems": [problem]}
    assert status(answer) == "fsrvpd is not running\nnext: systemctl start fsrvpd"


def test_sizes_and_ages() -> None:
    assert [size(each) for each in (0, 999, 1000, 45_678_901, 2e12)] == [
        "0 B",
        "999 B",
        "1 kB",
        "45.7 MB",
        "2 TB",
    ]
    ages = ((-5, "0 min"), (60, "1 min"), (7200, "2 h"), (90000, "1 d"))
    for seconds, text in ages:
        assert ago(time.time() - seconds) == f"{text} ago"
