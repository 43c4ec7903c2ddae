"""What a run learns from events while it works, and what it always says of writers."""

from __future__ import annotations

from fsrvpd.requestor.ctl.metrics import Result
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.events import Event

# Also where nobody watches: how long applications held still is what their users have noticed.
_FACTS = ("writer-thawed", "writers-thawed")


class RunEvents:
    """`result` grows with the run. Events come in any thread."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.result = Result()
        self.gone = False  # whether the server has removed a copy that was still read

    def note(self, event: Event) -> None:
        """Of the requestor, which prints its events itself."""
        if event.name == "snapshot-gone":
            self.gone = True

    def of_writers(self, event: Event) -> None:
        fields = event.fields
        if event.name == "writer-failed" and not fields["required"]:
            self._output.warning(f"{event.text}; it is not required, and left out", **fields)
            self.result.failed_writers += 1
            return
        if event.name == "writer-thawed":
            self.result.writers[str(fields["writer"])] = _seconds(fields["held_ms"])
        elif event.name == "writers-thawed":
            self.result.window = _seconds(fields["window_ms"])
        tell = self._output.fact if event.name in _FACTS else self._output.event
        tell(event.name, event.text, **fields)


def _seconds(milliseconds: object) -> float:
    return float(str(milliseconds)) / 1000
