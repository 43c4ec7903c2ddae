"""`watch-events`: every event from now on, and which objects it has changed.

A reader asks again for what a line names, so a line that it has missed must not go unsaid: what
waits for a slow one is limited, the rest is left out, and it is told so when it reads again.
"""

from __future__ import annotations

import time
from typing import Any, Iterator, Mapping

from fsrvpd.core.messages import parse_guid
from fsrvpd.daemon.control.replies import change_to_json, event_to_json
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log import events
from fsrvpd.daemon.log.events import Event, Field
from fsrvpd.daemon.log.levels import NOTICE
from fsrvpd.protocol.server.view import AgentView

MAX_WAITING = 256 << 10  # bytes for a reader that is slow
RESYNC = Event(0, "resync", NOTICE, "")  # nobody logs it: it concerns one reader

_COPIES = (
    *("set-removed", "snapshot-gone", "mount-gone", "kept-removed", "kept-not-removed"),
    *("orphan-snapshot", "orphan-removed", "orphan-kept"),
)
_SHARES = ("configuration-loaded", "volume-silent", "volume-absent")
# They change nothing that `status` shows.
_NOT_IN_STATUS = frozenset({"snapshot-progress", "shell-snap", "shell-snap-refused"})
_START = "StartShadowCopySet"  # the client's request has no id of the set yet


class EventWatch:
    """One reader. Belongs to the loop's thread, but for `_pass_on`."""

    def __init__(self, loop: EventLoop, view: AgentView, request: ControlRequest) -> None:
        self._loop = loop
        self._view = view
        self._request = request
        self._missed = 0
        request.on_close.append(events.watch(self._pass_on))
        request.on_read = self._tell_missed
        self._resync(0)

    def _pass_on(self, event: Event, text: str, fields: Mapping[str, Field]) -> None:
        """Called in any thread. What has changed is looked up when the turn that reports it is
        over."""
        when = time.time()
        self._loop.call_soon_threadsafe(lambda: self._send(when, event, text, fields))

    def _send(self, when: float, event: Event, text: str, fields: Mapping[str, Field]) -> None:
        if self._missed or self._request.unsent > MAX_WAITING:
            self._missed += 1
            return
        changed = list(_changed(self._view, event.name, fields))
        self._request.send_event({**event_to_json(when, event, text, fields), "changed": changed})

    def _tell_missed(self) -> None:
        missed, self._missed = self._missed, 0
        if missed:
            self._resync(missed)

    def _resync(self, missed: int) -> None:
        """Whoever gets it does not know what has changed before."""
        text = f"{missed} events were left out, since they were not read" if missed else ""
        changed = [change_to_json(kind) for kind in ("set", "copy", "share", "status")]
        line = event_to_json(time.time(), RESYNC, text, {"missed": missed})
        self._request.send_event({**line, "changed": changed})


def _changed(view: AgentView, name: str, fields: Mapping[str, Field]) -> Iterator[dict[str, Any]]:
    """The objects that may be others than before the event."""
    set_id = str(fields.get("set", "-"))
    if set_id != "-":
        yield change_to_json("set", set_id, _status(view, set_id))
    elif fields.get("method") == _START:
        yield change_to_json("set")
    if name in _COPIES:
        yield change_to_json("copy", str(fields["copy"]) if "copy" in fields else None)
    if name in _SHARES:
        yield change_to_json("share")
    if name not in _NOT_IN_STATUS:
        yield change_to_json("status")


def _status(view: AgentView, set_id: str) -> str:
    found = view.find(parse_guid(set_id))
    if found is None:
        return "Gone"
    return "Removing" if found.removing else found.status.value
