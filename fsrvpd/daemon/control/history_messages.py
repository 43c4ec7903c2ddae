"""`history`: the sets of the last weeks, page by page, and the last refusals.

A page is so small that no client of the pipe waits for it.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any, Mapping, Optional, Sequence

from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.history.recorder import History, Page
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.unc import normal_share
from fsrvpd.store.history import MAX_AGE, Query
from fsrvpd.store.history_records import COMPLETED, FAILED, RefusalRecord, SetRecord

SINCE, SHARE, AFTER = "--since", "--share", "--after"
USAGE = "usage: history [--since TIME] [--share SHARE]"
_UNITS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGE = re.compile(r"(\d{1,6})\s*(min|h|d|w)")
_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")


class HistoryMessages:
    """Belongs to the loop's thread."""

    def __init__(self, history: History) -> None:
        self._history = history

    def history(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """`--after` is what the page before has as `more`."""
        given = _options(parameters)
        query = Query(
            _since(given.get(SINCE), time.time()),
            normal_share(given.get(SHARE, "")),
            _place(given.get(AFTER)),
        )
        refusals = [] if query.before else self._history.refusals
        chosen = [
            each
            for each in reversed(refusals)
            if each.last >= query.since and query.share in ("", normal_share(each.share))
        ]

        def done(page: Page) -> None:
            def reply() -> None:
                if isinstance(page, FsrvpdError):
                    raise page
                request.finish(
                    {
                        "sets": [record_to_json(each) for each in page.sets],
                        "refusals": [refusal_to_json(each) for each in chosen],
                        "more": page.more and f"{page.more[0]!r},{page.more[1]}",
                    }
                )

            request.guard(reply)

        self._history.read(query, done)


def record_to_json(record: SetRecord) -> dict[str, Any]:
    freeze = record.freeze
    return {
        "set": record.id,
        "client": record.client,
        "account": record.account,
        "shares": list(record.shares),
        "started": record.started,
        "committed": record.committed,
        "freeze_ms": None if freeze is None else round(freeze * 1000, 3),
        "completed": record.completed,
        "ended": record.ended,
        "outcome": record.outcome,
        "result": _result(record),
        "reason": record.reason,
    }


def _result(record: SetRecord) -> Optional[str]:
    """None where no call decided over the set."""
    return describe(record.result) if record.outcome in (COMPLETED, FAILED) else None


def refusal_to_json(record: RefusalRecord) -> dict[str, Any]:
    return {
        "event": record.event,
        "account": record.account,
        "client": record.client,
        "method": record.method,
        "result": record.result,
        "share": record.share,
        "reason": record.reason,
        "next_step": record.next_step,
        "first": record.first,
        "last": record.last,
        "times": record.times,
    }


def _options(parameters: Sequence[str]) -> Mapping[str, str]:
    """Raises: FsrvpdError."""
    given = {}
    for word in parameters:
        name, equals, value = word.partition("=")
        if name not in (SINCE, SHARE, AFTER) or not equals:
            raise FsrvpdError(USAGE)
        given[name] = value
    return given


def _since(text: Optional[str], now: float) -> float:
    """Unix time of `7d`, `36h`, `2026-11-01`, `2026-11-01T08:30` or `@1793500000`, in local time.
    Raises: FsrvpdError."""
    if text is None:
        return now - MAX_AGE
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return now - int(age[1]) * _UNITS[age[2]]
    if re.fullmatch(r"@\d{1,11}", text):
        return float(text[1:])
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).timestamp()
        except (ValueError, OverflowError):
            continue
    raise FsrvpdError(f"--since {text}: want 7d, 36h, 90min, 2026-11-01 or 2026-11-01T08:30")


def _place(text: Optional[str]) -> Optional[tuple[float, str]]:
    if text is None:
        return None
    moment, _, key = text.partition(",")
    try:
        return float(moment), key
    except ValueError:
        raise FsrvpdError(USAGE) from None
