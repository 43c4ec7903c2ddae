"""What is printed, for people and for programs."""

from __future__ import annotations

import errno
import io
import json
import re
import sys
from typing import Any

import pytest

from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.ctl.output import EVENTS, Output
from fsrvpd.requestor.ctl.signals import Interrupted
from fsrvpd.requestor.errors import Refused, RequestorError
from tests.paths import PACKAGE

BUSY = int(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.event("committed", "committed on nas", server="nas")
    output.result("text", set="{1}")
    output.warning("old", object="x")
    output.failed(Refused("nas", "it is busy", "wait", result=BUSY), 4)
    printed = capsys.readouterr()
    assert lines(printed.out) == [
        {"event": "committed", "server": "nas"},
        {"set": "{1}"},
        {"event": "warning", "text": "old", "object": "x"},
        {
            "event": "failed",
            "object": "nas",
            "cause": "it is busy",
            "next_step": "wait",
            "result": "FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS",
            "exit_status": 4,
        },
    ]
    assert printed.err == "fsrvpshadow: warning: old\nfsrvpshadow: nas: it is busy; wait\n"


def test_every_event_is_in_the_manual() -> None:
    listed = {name for names, _ in EVENTS for name in names.split(", ")}
    steps = {"started", "prepared", "committed", "exposed"}
    written = re.compile(r'(?:[Ee]vent|_tell)\(\s*"([a-z-]+)"|"event": "([a-z-]+)"')
    for path in (PACKAGE / "requestor").rglob("*.py"):
        found = {one or other for one, other in written.findall(path.read_text())}
        assert found <= listed | steps, path
    assert {f"set-{step}" for step in steps} <= listed


def test_a_signal_has_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert Output(as_json=True).interrupted(Interrupted(15)) == 143
    printed = capsys.readouterr()
    assert lines(printed.out) == [
        {"event": "interrupted", "text": "ended by SIGTERM", "exit_status": 143}
    ]
    assert printed.err == "fsrvpshadow: ended by SIGTERM\n"


def test_progress_is_for_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Output().event("committed", "committed on nas")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Output().event("committed", "committed on \x1b[31mnas\nx")
    assert capsys.readouterr().err == "… committed on \\x1b[31mnas\\nx\n"


def test_a_message_of_a_server_begins_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output().failed(RequestorError("nas", "x\nfsrvpshadow: done", "y"), 1)
    [line] = capsys.readouterr().err.splitlines()
    assert line == "fsrvpshadow: nas: x\\nfsrvpshadow: done; y"


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_closed_output_stops_only_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets are deleted although nobody reads the events."""
    output = Output(as_json=True)
    monkeypatch.setattr(sys, "stdout", Full())
    output.event("deleted", "deleted")
    with pytest.raises(OSError, match="No space left"):
        output.result("x")
