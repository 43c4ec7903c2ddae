"""What the history remembers: sets, last backups and refusals, each a JSON document.

What is read may have been changed by anybody who could write the file, or by a fault of the
disk: a document that is not of the expected shape is passed over, and text has a limit.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Callable, Mapping, NamedTuple, Optional, Tuple, TypeVar

RUNNING = "running"
COMPLETED = "completed"  # the client was done with the creation
FAILED = "failed"  # a call was refused, and the set ended
TIMED_OUT = "timed-out"  # the client was silent
REMOVED = "removed"  # by its client or an admin, before it was complete
INTERRUPTED = "interrupted"  # by the end of the daemon
OUTCOMES = frozenset({RUNNING, COMPLETED, FAILED, TIMED_OUT, REMOVED, INTERRUPTED})

RECENT = 7 * 86_400.0  # s for which an outcome, or a wish that was refused, counts
MAX_TEXT = 1024  # characters
MAX_SHARES = 64

R = TypeVar("R")


class SetRecord(NamedTuple):
    """One shadow copy set. Times are Unix times; `freeze` is the time in s between the responses
    to Prepare and Commit, or that of Commit alone. `result` is that of the call that failed."""

    id: str
    client: str
    account: str
    shares: Tuple[str, ...]
    started: float
    outcome: str = RUNNING
    result: int = 0
    reason: str = ""
    committed: Optional[float] = None
    freeze: Optional[float] = None
    completed: Optional[float] = None
    ended: Optional[float] = None


class Backup(NamedTuple):
    """The last completed backup of a share. `committed` is the moment that its copy shows."""

    share: str
    committed: float
    completed: float
    set: str


class RefusalRecord(NamedTuple):
    """Refusals that say the same: how often, first and last."""

    event: str
    account: str
    client: str
    method: str
    result: str
    share: str
    reason: str
    next_step: str
    first: float
    last: float
    times: int = 1


def encoded(record: Any) -> str:
    return json.dumps(record._asdict())


def set_record(document: str) -> Optional[SetRecord]:
    return _decoded(SetRecord, document, _SET)


def backup(document: str) -> Optional[Backup]:
    return _decoded(Backup, document, _BACKUP)


def refusal(document: str) -> Optional[RefusalRecord]:
    return _decoded(RefusalRecord, document, _REFUSAL)


def limited(text: str) -> str:
    """Text as it may be recorded: JSON can hold no half of a surrogate pair."""
    return text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()


def _decoded(
    kind: Callable[..., R], document: str, checks: Mapping[str, Callable[[Any], Any]]
) -> Optional[R]:
    """The record, or None where a field is missing or is not what it should be."""
    try:
        found = json.loads(document)
        return kind(**{name: check(found[name]) for name, check in checks.items()})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return limited(value)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise TypeError
    if not 0 <= value < 1 << 40:
        raise ValueError
    return float(value)


def _maybe_time(value: Any) -> Optional[float]:
    return None if value is None else _time(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise TypeError
    return int(value)


def _shares(value: Any) -> Tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_SHARES:
        raise TypeError
    return tuple(map(_text, value))


def _outcome(value: Any) -> str:
    if value not in OUTCOMES:
        raise ValueError
    return str(value)


_SET: Mapping[str, Callable[[Any], Any]] = {
    "id": _text,
    "client": _text,
    "account": _text,
    "shares": _shares,
    "started": _time,
    "outcome": _outcome,
    "result": _number,
    "reason": _text,
    "committed": _maybe_time,
    "freeze": _maybe_time,
    "completed": _maybe_time,
    "ended": _maybe_time,
}
_BACKUP: Mapping[str, Callable[[Any], Any]] = {
    "share": _text,
    "committed": _time,
    "completed": _time,
    "set": _text,
}
_REFUSAL: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("event", "account", "client", "method", "result", "share", "reason", "next_step"), _text
    ),
    "first": _time,
    "last": _time,
    "times": _number,
}
