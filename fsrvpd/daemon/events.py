"""The events of the log: the whole list, and how one is reported.

Ids and names are stable, so that alerts and filters may rely on them; what follows the
name is `key=value`, then words for people. docs/events.md is written from this list.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import Callable, Mapping, NamedTuple, Union

from fsrvpd.daemon.logs import ALWAYS, CALLS, NOTICE

Field = Union[str, int, float]

_PLAIN = re.compile(r"[\w{}.:@/+-]+")


class Event(NamedTuple):
    id: int
    name: str
    level: int  # of logging; `logs` says which of Samba's levels that is
    meaning: str


EVENTS = (
    Event(100, "started", ALWAYS, "The daemon serves its pipe."),
    Event(101, "ended", ALWAYS, "The daemon has ended in order."),
    Event(110, "configuration-loaded", ALWAYS, "smb.conf was read anew and is in force."),
    Event(
        111,
        "configuration-refused",
        logging.ERROR,
        "smb.conf was read anew and refused; what was in force stays so.",
    ),
    Event(
        112,
        "configuration-complaint",
        logging.ERROR,
        "smb.conf holds an option that does not exist, or one that needs a restart.",
    ),
    Event(113, "log-level-set", ALWAYS, "An admin set the debug level."),
    Event(
        120,
        "pipe-stolen",
        logging.ERROR,
        "Another program took the pipe's socket, most likely Samba's own agent.",
    ),
    Event(121, "pipe-retaken", ALWAYS, "The pipe's socket is ours again."),
    Event(130, "control-refused", logging.ERROR, "A user without the right sent a message."),
    Event(200, "call", CALLS, "A call was answered with success."),
    Event(201, "call-refused", NOTICE, "A call was answered with an error."),
    Event(210, "commit-progress", NOTICE, "A snapshot that takes time is under way."),
    Event(220, "snap", NOTICE, "`fsrvp-snap` did for Samba's own agent what it was asked for."),
    Event(221, "snap-refused", logging.ERROR, "`fsrvp-snap` asked for what could not be done."),
    Event(
        211,
        "commit-too-slow",
        logging.ERROR,
        "A snapshot was given up and undone, since it did not come in time.",
    ),
    Event(300, "timer-elapsed", ALWAYS, "A client was silent for too long during a creation."),
    Event(301, "set-removing", ALWAYS, "A set goes; the text says why."),
    Event(302, "set-removed", ALWAYS, "A set and all that it had made is gone."),
    Event(
        303,
        "removal-failed",
        logging.ERROR,
        "Something of a set could not be removed; it is tried again.",
    ),
    Event(304, "step-undone", ALWAYS, "What an unsuccessful step had left is gone."),
    Event(305, "set-unreadable", logging.ERROR, "The store holds a set that cannot be read."),
    Event(306, "share-restored", ALWAYS, "Shadow copy shares that were gone were made again."),
    Event(
        307,
        "share-not-restored",
        logging.ERROR,
        "Shadow copy shares that were gone could not be made again.",
    ),
    Event(311, "clock-jumped", ALWAYS, "The wall clock was set, by a minute at least."),
    Event(
        312,
        "set-overdue",
        ALWAYS,
        "The wall clock alone says that a set is too old; it goes if that is so for an hour.",
    ),
    Event(320, "stray-snapshot", ALWAYS, "A snapshot of ours belongs to no set."),
    Event(321, "stray-share", ALWAYS, "A shadow copy share belongs to no set."),
    Event(322, "stray-removed", ALWAYS, "Such a snapshot or share is gone."),
    Event(323, "stray-kept", logging.ERROR, "Such a snapshot or share could not be removed."),
    Event(324, "share-gone", ALWAYS, "Somebody removed a shadow copy share of a set."),
    Event(325, "snapshot-gone", ALWAYS, "Somebody removed a snapshot of a set."),
    Event(326, "volume-absent", ALWAYS, "The volume of a set's snapshots is not mounted."),
    Event(
        327,
        "comparison-failed",
        logging.ERROR,
        "The state could not be compared with disks and registry.",
    ),
    Event(
        308,
        "shares-not-withdrawn",
        logging.ERROR,
        "Shares of an interrupted step could not be removed.",
    ),
    Event(
        310,
        "state-not-written",
        logging.ERROR,
        "The store could not be written; calls are refused until it can be.",
    ),
)
BY_NAME = {event.name: event for event in EVENTS}

counts: Counter[str] = Counter()  # reported since the start, by name; not every "call" is

Watcher = Callable[[Event, str, Mapping[str, Field]], None]
_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> Callable[[], None]:
    """Have every event passed on, whatever the debug level, in the thread that reports it.
    Returns what ends that."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher)


def is_wanted(log: logging.Logger, name: str) -> bool:
    return bool(_watchers) or log.isEnabledFor(BY_NAME[name].level)


def report(log: logging.Logger, name: str, /, text: str = "", **fields: Field) -> None:
    """Log an event."""
    counts[name] += 1
    event = BY_NAME.get(name) or Event(0, name, NOTICE, "")
    for watcher in list(_watchers):
        watcher(event, text, fields)
    if log.isEnabledFor(event.level):
        words = [f"event={name}", *(f"{key}={_shown(value)}" for key, value in fields.items())]
        message = " ".join([*words, text] if text else words)
        log.log(event.level, "%s", message, extra={"event": event, "fields": fields})


def _shown(value: Field) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, int) or _PLAIN.fullmatch(value):
        return str(value)
    return repr(value)
