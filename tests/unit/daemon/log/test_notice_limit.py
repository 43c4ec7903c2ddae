"""A client cannot fill the log at debug level 0; at level 3 nothing is left out."""

from __future__ import annotations

import logging
from typing import Iterator

import pytest

from fsrvpd.daemon.log import events, levels
from fsrvpd.daemon.log.notice_limit import (
    INTERVAL,
    MAX_ALIKE,
    MAX_CALLERS,
    MAX_FURTHER,
    MAX_NEWS_ALIKE,
    NoticeLimit,
)


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(NoticeLimit((levels.REFUSED, levels.NOTICE), levels.CALLS))
        self.time = 1000.0
        self.lines: list[str] = []

    def handle(self, record: logging.LogRecord) -> bool:
        record.created = self.time
        return bool(super().handle(record))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def kept(log: logging.Logger) -> Iterator[Kept]:
    handler = Kept()
    log.addHandler(handler)
    before = logging.getLogger().level
    levels.set_level(0)
    yield handler
    logging.getLogger().setLevel(before)


def refuse(log: logging.Logger, account: str) -> None:
    events.report(log, "call-refused", client="192.0.2.1", account=account)


def test_what_says_the_same_of_one_client_is_left_out_and_counted(
    log: logging.Logger, kept: Kept
) -> None:
    for _ in range(MAX_ALIKE + 7):
        refuse(log, "100%")
    refuse(log, "other")
    log.log(levels.REFUSED, "the pipe of %s is closed: %s", "nobody", "too many")
    assert len(kept.lines) == MAX_ALIKE + 2
    kept.time += INTERVAL
    for _ in range(2):
        refuse(log, "100%")
    left_out = "(before it, 7 were left out; debug level 3 has all)"
    assert [left_out in line for line in kept.lines[-2:]] == [True, False]
    assert "account='100%'" in kept.lines[-2]


def test_many_callers_write_so_much(log: logging.Logger, kept: Kept) -> None:
    for _ in range(2):
        for number in range(MAX_CALLERS + 100):
            refuse(log, f"LAB\\{number}")
    assert len(kept.lines) == MAX_CALLERS + MAX_FURTHER


def test_nobody_hides_the_refusal_of_another(log: logging.Logger, kept: Kept) -> None:
    """A client has one account, or a few, and as many addresses as it likes."""
    for number in range(2 * MAX_FURTHER):
        for account in range(MAX_FURTHER // MAX_ALIKE * 2):
            client = f"2001:db8::{number:x}"
            events.report(log, "call-refused", client=client, account=f"LAB\\{account}")
    refuse(log, "other")
    assert "account=other" in kept.lines[-1]
    assert len(kept.lines) <= MAX_FURTHER + 2 * MAX_FURTHER // MAX_ALIKE + 1


def test_nobody_hides_what_is_new_of_another(log: logging.Logger, kept: Kept) -> None:
    refuse(log, "victim")
    for _ in range(MAX_ALIKE):
        for account in range(MAX_FURTHER // MAX_ALIKE * 2):
            for method in range(MAX_NEWS_ALIKE * 4):
                fields = {"account": f"LAB\\{account}", "method": str(method)}
                events.report(log, "call-refused", **fields)
    events.report(log, "call-refused", account="victim", method="CommitShadowCopySet")
    assert "CommitShadowCopySet" in kept.lines[-1]
    accounts = MAX_FURTHER // MAX_ALIKE * 2
    assert len(kept.lines) == 2 + accounts * (1 + MAX_NEWS_ALIKE) + MAX_FURTHER


def test_the_fate_of_sets_and_errors_are_never_left_out(log: logging.Logger, kept: Kept) -> None:
    for _ in range(MAX_ALIKE + 7):
        events.report(log, "set-removed")
        log.error("one")
        events.report(log, "step-undone")
    assert len(kept.lines) == 3 * (MAX_ALIKE + 7)


def test_what_a_user_causes_at_one_object_is_limited(log: logging.Logger, kept: Kept) -> None:
    """Clients cannot make it disappear among their own."""
    for number in range(MAX_CALLERS + 100):
        refuse(log, f"LAB\\{number}")
    for number in range(MAX_ALIKE + 7):
        log.warning("%s was renamed to %s by a user", "/srv/.fsrvpd", number)
    log.warning("%s was renamed to %s by a user", "/data/.fsrvpd", "x")
    assert len(kept.lines) == MAX_CALLERS + MAX_ALIKE + 1


def test_at_level_3_nothing_is_left_out(log: logging.Logger, kept: Kept) -> None:
    levels.set_level(3)
    for _ in range(MAX_ALIKE + 7):
        refuse(log, "100%")
    assert len(kept.lines) == MAX_ALIKE + 7
