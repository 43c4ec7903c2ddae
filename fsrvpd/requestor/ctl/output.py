"""What the commands print: text for people or, with --json, one object a line.

Results go to standard output. Progress goes to standard error, and most of it only to a terminal:
in a timer's log it would be noise. With --json every event is a line of standard output.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, TextIO

from fsrvpd.protocol.hresult import name_of
from fsrvpd.requestor.ctl.signals import Interrupted
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.terminal import discard, indented, one_line

PROGRAM = "fsrvpshadow"
# For the manual: every event that --json prints.
EVENTS = (
    (
        "waiting",
        "A server is busy with another set: `seconds` until the next attempt, `left`. Or another"
        " run of the job has not ended: `left`.",
    ),
    ("set-started, set-prepared, set-committed, set-exposed", "A step is done: `server`."),
    ("set-refused", "A step has failed, on another server than that of the event `failed`."),
    ("set-created", "The set is there: `set`, `copies`, `skew_ms` between servers, `window_ms`."),
    ("writer-prepared, writer-completed", "Before and after the set: `writer`, `kind`, `ms`."),
    ("writer-frozen", "An application holds still: `writer`, `kind`, `ms`."),
    ("writer-thawed", "It works again: the same, and `held_ms` since its freeze began."),
    ("writer-failed", "The same, `step`, `error` and `required`."),
    ("writers-thawed", "All work again: `window_ms`, `limit_ms`, `worst_writer`, `worst_ms`."),
    ("command-started, command-ended", "COMMAND: `command`; `exit_status`, `seconds`."),
    ("set-removed", "The part of a set that was on `server` is gone: `set`."),
    ("snapshot-gone", "The server itself has removed a copy of `share` before."),
    ("removal-failed", "Something is left."),
    ("warning", "`text` says what is odd."),
    (
        "not-archived, not-copied, not-restored",
        "A file, or something of it, is lacking: `share`, `path`, `cause`.",
    ),
    ("interrupted", "A signal has ended the command: `exit_status`."),
    ("failed", "`object`, `cause`, `next_step`, `result` (the HRESULT, or null), `exit_status`."),
)


class Output:
    """For all threads: a line is written whole. What cannot be printed stops no work; only `result`
    and `check` raise OSError, also for what could not be printed before."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._lock = threading.Lock()
        self._failures: list[OSError] = []

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Something has happened: a line of JSON, or progress for a person."""
        if self.as_json:
            self._print(json.dumps({"event": name, **fields}), sys.stdout)
        elif sys.stderr.isatty():
            self._print(f"… {one_line(text)}", sys.stderr)

    def fact(self, name: str, text: str, **fields: Any) -> None:
        """An event that a log is to have, too."""
        self.event(name, text, **fields)
        if not self.as_json and not sys.stderr.isatty():
            self._print(f"{PROGRAM}: {one_line(text)}", sys.stderr)

    def result(self, text: str, **fields: Any) -> None:
        """What was asked for. `text` may have several lines, which are ours. Raises: OSError."""
        if self.as_json:
            self._print(json.dumps(fields), sys.stdout)
        elif text:
            self._print(text, sys.stdout)
        self.check()

    def check(self) -> None:
        """Raises: OSError for what could not be printed on standard output so far."""
        if self._failures:
            raise self._failures[0]

    def warning(self, text: str, **fields: Any) -> None:
        if self.as_json:
            self._print(json.dumps({"event": "warning", "text": text, **fields}), sys.stdout)
        self._print(indented(f"{PROGRAM}: warning: {text}"), sys.stderr)

    def lacks(self, name: str, share: str, path: str, cause: str) -> None:
        """Something is not in a copy that should be there. `name` is the event's."""
        if self.as_json:
            event = {"event": name, "share": share, "path": path, "cause": cause}
            self._print(json.dumps(event), sys.stdout)
        what = f"{share}\\{path}" if path else share
        self._print(one_line(f"{PROGRAM}: {what}: {cause}"), sys.stderr)

    def failed(self, error: RequestorError, exit_status: int) -> int:
        """One line that says what failed, why and what to do. Returns the status."""
        if self.as_json:
            event = {"event": "failed", **_fields(error), "exit_status": exit_status}
            self._print(json.dumps(event), sys.stdout)
        self._print(indented(f"{PROGRAM}: {error}"), sys.stderr)
        return exit_status

    def interrupted(self, stop: Interrupted) -> int:
        """Returns the exit status."""
        if self.as_json:
            event = {"event": "interrupted", "text": str(stop), "exit_status": stop.exit_status}
            self._print(json.dumps(event), sys.stdout)
        self._print(f"{PROGRAM}: {stop}", sys.stderr)
        return stop.exit_status

    def _print(self, line: str, stream: TextIO) -> None:
        with self._lock:
            try:
                print(line, file=stream, flush=True)
            except OSError as error:
                if stream is sys.stdout:
                    self._failures.append(error)
                    discard(stream)  # else Python tries it again at the end, and fails


def _fields(error: RequestorError) -> dict[str, Any]:
    return {
        "object": error.object,
        "cause": error.cause,
        "next_step": error.next_step,
        "result": None if error.result is None else name_of(error.result),
    }
