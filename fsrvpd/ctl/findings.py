"""What `fsrvpctl doctor` finds, for people and for programs."""

from __future__ import annotations

import textwrap
from enum import Enum
from typing import NamedTuple

from fsrvpd.ctl.terminal import visible

WIDTH = 78


class Grade(Enum):
    GOOD = "ok"
    NOTE = "note"  # nothing to mend, or nothing that could be looked at
    WARN = "warn"  # works, but surely not as wished
    FAIL = "FAIL"


class Finding(NamedTuple):
    """`next_step` is what to type, empty where there is nothing to do."""

    grade: Grade
    topic: str
    text: str
    next_step: str = ""

    def lines(self) -> str:
        head = f"{self.grade.value:<5}"
        wrapped = textwrap.fill(
            f"{self.topic}: {self.text}",
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
        return visible(f"{wrapped}\n      $ {self.next_step}" if self.next_step else wrapped)

    def as_json(self) -> dict[str, str]:
        return {
            "grade": self.grade.name.lower(),
            "topic": self.topic,
            "text": self.text,
            "next_step": self.next_step,
        }
