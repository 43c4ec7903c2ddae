"""The findings of `fsrvpctl doctor`, for people and for programs."""

from __future__ import annotations

import textwrap
from enum import Enum
from typing import NamedTuple

from fsrvpd.terminal import one_line

WIDTH = 78


class Severity(Enum):
    OK = "ok"
    NOTE = "note"  # nothing to fix, or nothing that could be checked
    WARN = "warn"  # works, but most likely not as intended
    FAIL = "FAIL"


class Finding(NamedTuple):
    """`next_step` is the command to type, empty when there is nothing to do. Not `is_typed`: it may
    be something to do elsewhere."""

    severity: Severity
    topic: str
    text: str
    next_step: str = ""
    is_typed: bool = True

    def lines(self) -> str:
        head = f"{self.severity.value:<5}"
        wrapped = _filled(f"{self.topic}: {self.text}", head, " " * len(head))
        if not self.next_step:
            return wrapped
        if self.is_typed:
            return f"{wrapped}\n      $ {one_line(self.next_step)}"
        return f"{wrapped}\n{_filled(f'next: {self.next_step}', ' ' * 6, ' ' * 8)}"

    def as_json(self) -> dict[str, str]:
        return {
            "severity": self.severity.name.lower(),
            "topic": self.topic,
            "text": self.text,
            "next_step": self.next_step,
        }


def _filled(text: str, first: str, others: str) -> str:
    return textwrap.fill(
        one_line(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
