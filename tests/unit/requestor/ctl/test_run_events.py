"""What a run learns from events."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.run_events import RunEvents
from fsrvpd.requestor.events import Event


def test_a_copy_that_the_server_has_removed_is_noted() -> None:
    events = RunEvents(Output())
    events.note(Event("set-removed", "x", {}))
    assert not events.gone
    events.note(Event("snapshot-gone", "x", {}))
    assert events.gone


def test_a_writer_that_is_required_and_fails_is_no_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is the error of the run."""
    events = RunEvents(Output())
    events.of_writers(Event("writer-failed", "writer pg: no", {"writer": "pg", "required": True}))
    events.of_writers(Event("writer-frozen", "pg frozen", {"writer": "pg", "ms": 1.0}))
    assert events.result.failed_writers == 0
    assert capsys.readouterr().err == ""
