"""Findings for people and for programs."""

from __future__ import annotations

from fsrvpd.ctl.doctor.result import WIDTH, Finding, Severity


def test_a_long_finding_is_wrapped_and_its_command_is_not() -> None:
    command = "chown root " + "/a/long/path" * 20
    lines = Finding(Severity.FAIL, "directories", "wrong " * 40, command).lines().splitlines()
    assert lines[0].startswith("FAIL directories: wrong")
    assert max(map(len, lines[:-1])) <= WIDTH
    assert lines[1].startswith("     wrong")
    assert lines[-1] == f"      $ {command}"


def test_what_is_not_typed_looks_like_no_command() -> None:
    step = "have the client sign its calls with the account of its SMB session, as Windows does"
    lines = Finding(Severity.WARN, "status", "x", step, is_typed=False).lines().splitlines()
    assert lines[1].startswith("      next: have the client sign")
    assert max(map(len, lines)) <= WIDTH
    assert "$" not in "".join(lines)


def test_control_characters_are_escaped() -> None:
    assert "\x1b" not in Finding(Severity.OK, "share \x1b[2J", "\x1b[31m").lines()


def test_json() -> None:
    assert Finding(Severity.OK, "smbd", "running").as_json() == {
        "severity": "ok",
        "topic": "smbd",
        "text": "running",
        "next_step": "",
    }
