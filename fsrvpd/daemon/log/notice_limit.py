"""Limits what clients and users can write into the log below debug level 3.

Refused calls and callers are logged from level 0 on, and a client can cause hundreds of them a
second; a user who renames `.fsrvpd` causes a warning with every call. From level 3 on every call
is wanted, and nothing is left out.

A caller is an account, wherever it calls from. The first line of a caller has a place that the
further lines of others cannot take, so that nobody hides another's refusal. The same holds for the
first lines of a known caller with another method or result, a few of each caller.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Collection, Hashable

INTERVAL = 60.0  # s
MAX_ALIKE = 20  # records in an interval that say the same of one caller or object
MAX_CALLERS = 1000  # of each level in an interval: records that are the first of theirs
MAX_NEWS = 1000  # of each level in an interval: what is new of a caller that is known
MAX_NEWS_ALIKE = 5  # of one caller
MAX_FURTHER = 200  # of each level in an interval: the others


class NoticeLimit(logging.Filter):
    """Limits records of `levels`, and warnings that are no events, unless the log has
    `everything` from that level on. What was left out is counted in the first of them in the next
    interval. A race between threads makes the count wrong by one."""

    def __init__(self, levels: Collection[int], everything: int) -> None:
        super().__init__()
        self._levels = frozenset(levels)
        self._everything = everything
        self._since = 0.0
        self._alike: Counter[Hashable] = Counter()
        self._said: set[Hashable] = set()  # of whom, and what
        self._news: Counter[Hashable] = Counter()  # what was new of one that was known
        self._passed: Counter[Hashable] = Counter()  # by level, and the place that it took
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not self._is_limited(record) or logging.getLogger().level <= self._everything:
            return True
        if record.created >= self._since + INTERVAL or record.created < self._since:
            self._begin(record)
        alike = _key(record)
        said = alike, _what(record)
        is_new = said not in self._said and self._news[alike] < MAX_NEWS_ALIKE
        known = self._alike[alike] > 0
        most = MAX_CALLERS if not known else MAX_NEWS if is_new else MAX_FURTHER
        kind = record.levelno, known, known and is_new
        if self._passed[kind] >= most or self._alike[alike] >= MAX_ALIKE:
            self._left_out += 1
            return False
        self._alike[alike] += 1
        self._passed[kind] += 1
        self._said.add(said)
        self._news[alike] += known and is_new
        return True

    def _is_limited(self, record: logging.LogRecord) -> bool:
        is_event = getattr(record, "event", None) is not None
        return record.levelno in self._levels or (
            record.levelno == logging.WARNING and not is_event
        )

    def _begin(self, record: logging.LogRecord) -> None:
        if self._left_out:
            left_out = f"before it, {self._left_out} were left out; debug level 3 has all"
            record.msg, record.args = f"{record.getMessage()} ({left_out})", ()
        self._since, self._left_out = record.created, 0
        self._passed.clear()
        self._alike.clear()
        self._said.clear()
        self._news.clear()


def _key(record: logging.LogRecord) -> Hashable:
    """An event and whom it concerns, or a message and its first value, which names that."""
    event = getattr(record, "event", None)
    if event is not None:
        fields = record.__dict__["fields"]
        callers = (fields.get(name) for name in ("account", "client", "uid"))
        return event.name, next((str(each) for each in callers if each is not None), "")
    args = record.args if isinstance(record.args, tuple) else ()
    return record.msg, str(args[0]) if args else ""


def _what(record: logging.LogRecord) -> Hashable:
    """What a line says of a caller: few of these exist."""
    fields = getattr(record, "fields", {})
    return str(fields.get("method")), str(fields.get("result"))
