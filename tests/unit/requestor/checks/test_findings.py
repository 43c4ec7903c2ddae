"""Reports as programs get them."""

from __future__ import annotations

from fsrvpd.requestor.checks.findings import Finding, Severity, ShareReport
from fsrvpd.requestor.ports import ShareRoot


def test_json_has_no_control_characters() -> None:
    root = ShareRoot("//nas/data", r"\\nas\data", "nas", "data", "")
    wrong = Finding(Severity.FAIL, "read", "may not read a\nb", "chmod \x1b[2J")
    assert ShareReport("//nas/data", root, [wrong]).as_json() == {
        "share": "//nas/data",
        "root": r"\\nas\data",
        "will_fail": True,
        "findings": [
            {
                "severity": "fail",
                "topic": "read",
                "text": "may not read a\\nb",
                "next_step": "chmod \\x1b[2J",
            }
        ],
    }


def test_only_a_failure_is_one() -> None:
    others = [Finding(each, "read", "") for each in Severity if each is not Severity.FAIL]
    assert not ShareReport("x", None, others).will_fail
