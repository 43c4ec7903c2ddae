"""The keys of the configuration: what each takes and means. Of writers: `writer_keys.py`."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, NamedTuple, Tuple

AUTO, CHECKPOINT = "auto", "checkpoint"
MODES = (AUTO, CHECKPOINT, "backup")  # of a writer of PostgreSQL
_UNITS = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)([smh]?)")


class Key(NamedTuple):
    name: str
    value: str  # what it takes
    meaning: str
    read: Callable[[Any], Any]  # Raises: ValueError


def duration(value: Any) -> float:
    """Seconds: 90, "90", "15m" or "2h". Raises: ValueError."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found:
        return float(found[1]) * _UNITS[found[2] or "s"]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7:
        return float(value)
    raise ValueError("a time: a number of seconds, or one with s, m or h behind it")


def limit(value: Any) -> float:
    """A duration that is not 0. Raises: ValueError."""
    seconds = duration(value)
    if seconds:
        return seconds
    raise ValueError("a time that is longer than 0")


def strings(value: Any) -> Tuple[str, ...]:
    if isinstance(value, list) and value and all(map(_is_word, value)):
        return tuple(value)
    raise ValueError('a list of strings, ["one", "two"]')


def string(value: Any) -> str:
    if _is_word(value):
        return str(value)
    raise ValueError('a string, "one"')


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def mode(value: Any) -> str:
    if value in MODES:
        return str(value)
    raise ValueError(f"a mode: {', '.join(MODES)}")


def number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -1000 <= value <= 1000:
        return value
    raise ValueError("a number from -1000 to 1000")


def file(value: Any) -> str:
    path = os.path.expanduser(value) if isinstance(value, str) else ""
    if os.path.isabs(path) and "\0" not in path:
        return path
    raise ValueError("the whole path of a file, from / or ~ on")


def files(value: Any) -> Tuple[str, ...]:
    if isinstance(value, list) and value:
        return tuple(map(file, value))
    raise ValueError("a list of whole paths, from / or ~ on")


KEYS = (
    Key(
        "credentials",
        "FILE",
        "The user and the password, in a file of smbclient's `-A` form that only its owner may"
        " read. Without it: what systemd has loaded with"
        " `LoadCredential=fsrvpshadow.credentials:FILE`, or the tickets of the Kerberos credential"
        " cache.",
        file,
    ),
    Key(
        "encrypt",
        "true or false",
        "Encrypt everything that is sent to the servers, also where they do not demand it.",
        boolean,
    ),
    Key(
        "wait",
        "TIME",
        "How long to wait for a server that is busy with another set, and for another run of this"
        ' host: seconds, "15m" or "2h".',
        duration,
    ),
    Key(
        "owners",
        "[NAME, ...]",
        "Names that a server may send us to, as a node of a cluster does. A name that the server"
        " has proved at the log-in, or that a Kerberos ticket proves, needs no entry.",
        strings,
    ),
    Key(
        "window",
        "TIME",
        "How long writers may be frozen at most: 10 seconds if nothing is said. If it takes longer"
        " they are thawed, the set is given up, and the run has failed.",
        limit,
    ),
    Key(
        "mount",
        "true or false",
        "Whether `run` mounts the copies for COMMAND, which it does if nothing is said. With"
        " `false` COMMAND reads the copies over SMB itself.",
        boolean,
    ),
    Key(
        "metrics",
        "DIRECTORY",
        "Where each run of a job writes how it has ended, for Prometheus' node exporter: the"
        " directory of its option `--collector.textfile.directory`. The file is"
        " `fsrvpshadow-JOB.prom`.",
        file,
    ),
)
KEYS_OF_JOB = (
    Key("shares", "[SHARE, ...]", "The shares, of which a set is made at one moment.", strings),
    Key("run", "[WORD, ...]", "COMMAND of `fsrvpshadow run`, word by word; no shell.", strings),
    Key(
        "writers",
        "[NAME, ...]",
        "The writers that are frozen while the set is made, each by the name of its section"
        " [writer.NAME].",
        strings,
    ),
    *KEYS,
)
