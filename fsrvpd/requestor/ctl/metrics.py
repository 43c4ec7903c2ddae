"""How the last run of a job has ended, in a file for Prometheus' node exporter.

The exporter's textfile collector reads each `*.prom` of one directory, at any time: a file is
replaced whole. A run that is killed writes nothing, and its job's last success grows old.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple
from urllib.parse import quote

from fsrvpd.requestor.errors import RequestorError

_MOST = 1 << 20  # bytes of a file that is read
_LAST_SUCCESS = "fsrvpshadow_last_success_timestamp_seconds"
_OF_WRITER = "fsrvpshadow_writer_held_seconds"
# By name, for the manual; all are gauges with the label `name`, the job's.
METRICS = (
    ("fsrvpshadow_last_run_timestamp_seconds", "When the last run ended."),
    (_LAST_SUCCESS, "When the last run ended that has succeeded: exit status 0."),
    ("fsrvpshadow_exit_status", "The exit status of the last run."),
    ("fsrvpshadow_run_seconds", "How long the last run took."),
    ("fsrvpshadow_command_seconds", "How long its command took, if it was started."),
    ("fsrvpshadow_copies", "How many shares it had copies of, if the set was made."),
    ("fsrvpshadow_skew_seconds", "Time between the commits of the first and the last server."),
    (
        "fsrvpshadow_window_seconds",
        "From the first freeze, or commit, to the last thaw, or answer.",
    ),
    (_OF_WRITER, "How long the application of a writer held still: its name is in `writer`."),
    ("fsrvpshadow_failed_writers", "Writers that are not required and have failed."),
    ("fsrvpshadow_left_out", "What the mounts could not give to the command: files, attributes."),
)


@dataclass
class Result:
    """Of one run; times in seconds, None for what it has not come to."""

    exit_status: int = 0
    ended: float = 0.0  # since 1970-01-01 UTC
    run: float = 0.0
    command: Optional[float] = None
    copies: Optional[int] = None
    skew: Optional[float] = None
    window: Optional[float] = None
    writers: Dict[str, float] = field(default_factory=dict)
    failed_writers: int = 0
    left_out: Optional[int] = None


def write(directory: str, job: str, result: Result) -> None:
    """Raises: RequestorError."""
    path = Path(directory, f"fsrvpshadow-{quote(job, safe='')}.prom")
    new = path.with_name(f".{path.name}.{os.getpid()}")  # which the exporter does not read
    try:
        text = "".join(_lines(job, result, _last_success(path)))
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(file, "w", encoding="utf-8") as opened:
                os.fchmod(file, 0o644)  # the exporter is another user
                opened.write(text)
            os.replace(new, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(new)
            raise
    except OSError as error:
        cause = f"the metrics of this run cannot be written: {error.strerror or error}"
        next_step = f"let fsrvpshadow write to {directory}, or change `metrics`"
        raise RequestorError(str(path), cause, next_step) from None


def _last_success(path: Path) -> Optional[float]:
    """As the run before has written it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(rf"(?m)^{_LAST_SUCCESS}\{{.*\}} ([0-9.e+]+)$", file.read(_MOST))
        return float(found[1]) if found else None
    except (OSError, ValueError):
        return None


def _lines(job: str, result: Result, last_success: Optional[float]) -> Iterator[str]:
    values = dict(_values(result, last_success))
    for name, meaning in METRICS:
        samples = [f"{name}{_labels(name=job)} {_shown(values[name])}\n"] if name in values else []
        if name == _OF_WRITER:
            samples = [
                f"{name}{_labels(name=job, writer=writer)} {_shown(seconds)}\n"
                for writer, seconds in result.writers.items()
            ]
        if samples:
            yield f"# HELP {name} {meaning}\n# TYPE {name} gauge\n"
            yield from samples


def _values(result: Result, last_success: Optional[float]) -> Iterator[Tuple[str, float]]:
    success = result.ended if result.exit_status == 0 else last_success
    given = (
        *(result.ended, success, result.exit_status, result.run, result.command),
        *(result.copies, result.skew, result.window, None, result.failed_writers),
        result.left_out,
    )
    for (name, _), value in zip(METRICS, given):
        if value is not None:
            yield name, value


def _shown(value: float) -> str:
    return repr(round(value, 6))


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
