"""What a requestor reports while it works: for progress, logs and `--json`.

Names and fields are stable. Where fsrvpd's log has an event for the same thing its name is the
same.
"""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Union

Field = Union[str, int, float]


# With what happened, for people who write programs.
EVENTS: Mapping[str, str] = {
    "waiting": "A server is busy; the next try comes in `seconds`, the last in `left`. Or another"
    " run has not ended, of the job or of a set on the same server: it is waited for, for `left`.",
    "set-started": "`server` has begun the set.",
    "set-prepared": "`server` has all its shares of the set, and is prepared to commit.",
    "set-committed": "`server` has taken its snapshots: all servers have, at one moment.",
    "set-exposed": "`server` shows its copies as shares, and the set is complete there.",
    "set-refused": "A further server has refused; the first one's refusal is the error.",
    "set-removed": "`server` has nothing more of `set`, or of the copies that were to go.",
    "removal-failed": "Something of a set could not be removed; `clean` will try again.",
    "snapshot-gone": "A copy of `share` that was to be deleted was not there any more.",
    "writer-prepared": "`writer` of the `kind` has worked ahead, for `ms`.",
    "writer-frozen": "`writer` holds its application still; it took `ms`.",
    "writer-thawed": "`writer` has let it go in `ms`, `held_ms` after its freeze began.",
    "writer-completed": "`writer` has added what the copies need, and looked at them, for `ms`.",
    "writer-failed": "`writer` has failed in `step`; the run fails, too, if it is `required`.",
    "writers-thawed": "All are thawed, `window_ms` after the first freeze began, at most"
    " `limit_ms`; `worst_writer` held still for the longest time, `worst_ms`.",
}


class Event(NamedTuple):
    """`name` and `fields` for programs, `text` for people."""

    name: str
    text: str
    fields: Mapping[str, Field]


Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Report nothing."""
