"""What a check found of one share, for people and for programs."""

from __future__ import annotations

from enum import Enum
from typing import Any, Dict, List, NamedTuple, Optional

from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.terminal import one_line


class Severity(Enum):
    OK = "ok"
    NOTE = "note"  # nothing to fix, or nothing that could be checked
    WARN = "warn"  # works, but most likely not as intended
    FAIL = "FAIL"  # tonight's copy or backup will fail


class Finding(NamedTuple):
    """`topic` is name, login, read, space, agent, snapshot or kept. `next_step` is what to type or
    to do, empty when there is nothing."""

    severity: Severity
    topic: str
    text: str
    next_step: str = ""

    def as_json(self) -> Dict[str, str]:
        return {
            "severity": self.severity.name.lower(),
            "topic": self.topic,
            "text": one_line(self.text),
            "next_step": one_line(self.next_step),
        }


class ShareReport(NamedTuple):
    """`root` is None if the name leads to no share."""

    given: str
    root: Optional[ShareRoot]
    findings: List[Finding]

    @property
    def will_fail(self) -> bool:
        return any(each.severity is Severity.FAIL for each in self.findings)

    def as_json(self) -> Dict[str, Any]:
        return {
            "share": one_line(self.given),
            "root": self.root.unc if self.root else None,
            "will_fail": self.will_fail,
            "findings": [each.as_json() for each in self.findings],
        }
