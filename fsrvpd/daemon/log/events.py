"""The list of all log events, and how to report one.

Ids and names are stable, so that alerts and filters may rely on them; after the name come
`key=value` fields, then text for people. docs/events.md is generated from this list.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import Callable, Mapping, NamedTuple, Union

from fsrvpd.daemon.log.levels import ALWAYS, CALLS, NOTICE, REFUSED

Field = Union[str, int, float]

_PLAIN = re.compile(r"[\w{}.:@/+-]+")


class Event(NamedTuple):
    id: int
    name: str
    level: int  # of `logging`; `levels` has the corresponding debug level of Samba
    meaning: str


EVENTS = (
    Event(100, "started", ALWAYS, "The daemon serves its pipe."),
    Event(101, "stopped", ALWAYS, "The daemon has shut down cleanly."),
    Event(110, "configuration-loaded", ALWAYS, "smb.conf was reloaded and is in force."),
    Event(
        111,
        "configuration-refused",
        logging.ERROR,
        "smb.conf has an error and was not loaded; the previous configuration stays in force.",
    ),
    Event(
        112,
        "configuration-warning",
        logging.ERROR,
        "smb.conf has an option that does not exist, that cannot be understood, or that needs a"
        " restart; or a share without a path.",
    ),
    Event(113, "log-level-set", ALWAYS, "An admin set the debug level."),
    Event(
        114,
        "capabilities-missing",
        logging.ERROR,
        "The process lacks privileges that snapshots need, so none are made.",
    ),
    Event(
        120,
        "pipe-hijacked",
        logging.ERROR,
        "Another program took over the pipe's socket, most likely Samba's own agent.",
    ),
    Event(121, "pipe-retaken", ALWAYS, "fsrvpd has taken the pipe's socket back."),
    Event(
        130,
        "control-refused",
        REFUSED,
        "A user without permission connected to a control socket.",
    ),
    Event(200, "call", CALLS, "A call was answered as usual."),
    Event(201, "call-refused", REFUSED, "A call was answered with an error."),
    Event(
        202,
        "caller-refused",
        REFUSED,
        "A client was refused before it made a call: its login, its pipe, or a request that is no"
        " call.",
    ),
    Event(210, "snapshot-progress", NOTICE, "A snapshot that takes time is still being made."),
    Event(
        211,
        "snapshot-too-slow",
        logging.ERROR,
        "A snapshot exceeded its time limit; it was abandoned and rolled back.",
    ),
    Event(220, "shell-snap", NOTICE, "A `fsrvp-snap` request from Samba's own agent succeeded."),
    Event(221, "shell-snap-refused", REFUSED, "A `fsrvp-snap` request failed."),
    Event(
        300,
        "timer-elapsed",
        ALWAYS,
        "A client that was creating a set sent no call before the message sequence timer expired.",
    ),
    Event(
        301,
        "set-removing",
        ALWAYS,
        "A shadow copy set is being removed; the message gives the reason.",
    ),
    Event(302, "set-removed", ALWAYS, "A set, its shares and its snapshots were removed."),
    Event(
        303,
        "removal-failed",
        logging.ERROR,
        "A part of a set could not be removed; the daemon tries again.",
    ),
    Event(304, "step-undone", ALWAYS, "Leftovers of a failed step were cleaned up."),
    Event(305, "set-unreadable", logging.ERROR, "The store holds a set that cannot be read."),
    Event(306, "share-restored", ALWAYS, "Missing shadow copy shares were recreated."),
    Event(
        307,
        "share-not-restored",
        logging.ERROR,
        "Missing shadow copy shares could not be recreated.",
    ),
    Event(
        308,
        "shares-not-withdrawn",
        logging.ERROR,
        "Shares of an interrupted step could not be removed.",
    ),
    Event(
        309,
        "step-found",
        ALWAYS,
        "A start found on the disks, or in Samba's registry, that a step was completed.",
    ),
    Event(
        310,
        "state-not-written",
        logging.ERROR,
        "The store could not be written; calls are refused until it can.",
    ),
    Event(
        313,
        "history-not-written",
        logging.ERROR,
        "The history could not be written; the daemon goes on, and keeps it in memory for a while.",
    ),
    Event(
        314,
        "history-damaged",
        logging.ERROR,
        "The history could not be read: it was moved aside, and a new one begun.",
    ),
    Event(311, "clock-jumped", ALWAYS, "The system clock was set by a minute or more."),
    Event(
        312,
        "set-overdue",
        ALWAYS,
        "By the wall clock a set has exceeded its maximum age; it is removed if that still"
        " holds after one hour.",
    ),
    Event(
        315,
        "step-unknown",
        logging.ERROR,
        "A start cannot find out whether a step was completed; the daemon tries again.",
    ),
    Event(320, "orphan-snapshot", ALWAYS, "A snapshot with fsrvpd's marker belongs to no set."),
    Event(321, "orphan-share", ALWAYS, "A shadow copy share belongs to no set."),
    Event(322, "orphan-removed", ALWAYS, "An orphan snapshot, share or mount was removed."),
    Event(
        323,
        "orphan-kept",
        logging.ERROR,
        "An orphan snapshot, share or mount could not be removed.",
    ),
    Event(324, "share-gone", ALWAYS, "Somebody removed a shadow copy share of a set."),
    Event(325, "snapshot-gone", ALWAYS, "Somebody removed a snapshot of a set."),
    Event(326, "volume-absent", ALWAYS, "The volume of a set's snapshots is not mounted."),
    Event(
        327,
        "reconcile-failed",
        logging.ERROR,
        "The state could not be compared with storage and registry.",
    ),
    Event(
        328, "mount-gone", ALWAYS, "A copy is not mounted, as after a reboot; it is mounted again."
    ),
    Event(329, "orphan-mount", ALWAYS, "A mount of a copy belongs to no set."),
    Event(340, "kept-removed", ALWAYS, "A kept copy was deleted; the message gives the reason."),
    Event(
        341,
        "kept-not-removed",
        ALWAYS,
        "A kept copy that is to be deleted could not be, or is in use; it is tried again.",
    ),
    Event(400, "leads", ALWAYS, "This node's agent serves the whole cluster from now on."),
    Event(401, "follows", ALWAYS, "This node passes calls on to the agent of another one."),
    Event(402, "no-leader", ALWAYS, "Calls are held until an agent of the cluster leads."),
    Event(
        403,
        "outside-cluster",
        logging.ERROR,
        "This node takes no part in the cluster; every call is refused.",
    ),
    Event(
        404,
        "superseded",
        logging.ERROR,
        "This node's agent leads no more, or may not know whether it does: its process begins"
        " anew.",
    ),
    Event(
        405,
        "mixed-versions",
        logging.ERROR,
        "The agent of another node is of another version; it answers no calls of this one.",
    ),
    Event(406, "options-differ", logging.ERROR, "Another node has other options in smb.conf."),
    Event(407, "clocks-apart", logging.ERROR, "The clock of another node is a minute off."),
    Event(
        408,
        "mounts-differ",
        logging.ERROR,
        "A copy is not mounted at another node, or still is; it is tried again.",
    ),
    Event(330, "volume-silent", ALWAYS, "The storage of a volume or share does not answer."),
)
BY_NAME = {event.name: event for event in EVENTS}

counts: Counter[str] = Counter()  # since the start, by name; "call" only when it is wanted

Watcher = Callable[[Event, str, Mapping[str, Field]], None]
_watchers: list[tuple[int, Watcher]] = []


def watch(watcher: Watcher, least: int = 0) -> Callable[[], None]:
    """Pass every event to `watcher` whose level is `least` or more, whatever the debug level, in
    the thread that reports it. Returns a function that ends this."""
    watching = (least, watcher)
    _watchers.append(watching)
    return lambda: _watchers.remove(watching)


def is_wanted(log: logging.Logger, name: str) -> bool:
    """Return whether the event is logged or watched. If not, its fields need not be computed."""
    level = BY_NAME[name].level
    return log.isEnabledFor(level) or any(level >= least for least, _ in _watchers)


def report(log: logging.Logger, name: str, /, text: str = "", **fields: Field) -> None:
    """Log an event."""
    counts[name] += 1
    event = BY_NAME.get(name) or Event(0, name, NOTICE, "")
    for least, watcher in list(_watchers):
        if event.level >= least:
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
