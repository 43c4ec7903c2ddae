"""One writer of a group: how far it is, how long each step took, and how it ended."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional, Sequence

from fsrvpd.requestor.errors import LEFT_SOMETHING
from fsrvpd.requestor.events import Event, Field, Report
from fsrvpd.requestor.side_by_side import Task
from fsrvpd.requestor.writers.ports import SharedTree, Writer, WriterFailed

_MOMENT = 0.1  # s: a freeze that has just been given up may be about to end
_LONGEST_FREEZE = 30.0  # s for one that goes on after a thaw, which no writer's should
_LOOK = "type `fsrvpshadow clean`, and look whether the application works"


class WriterState:
    """Calls the steps of a writer, and reports each. `failure`: why a writer that is not required
    was left out. `held`: seconds from the begin of its freeze until it was thawed."""

    def __init__(self, writer: Writer, report: Report) -> None:
        self.writer = writer
        self.failure: Optional[Exception] = None
        self.held = 0.0
        self.thawed_at = 0.0  # of the monotonic clock
        self._report = report
        self._began = self._froze = 0.0
        self._lock = threading.Lock()
        self._freezing: Optional[Task[None]] = None
        self._thawing: Optional[Task[None]] = None

    def prepare(self) -> None:
        """Raises: RequestorError, if the writer is required."""
        seconds = self._work("prepare", self.writer.prepare)
        if seconds is not None:
            self._tell("writer-prepared", seconds)

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """Raises: as `prepare`."""
        seconds = self._work("complete", lambda: self.writer.complete(copies))
        if seconds is not None:
            self._tell("writer-completed", seconds)

    def begin_freeze(self) -> None:
        self._thawing = None
        self._freezing = Task(self._freeze)
        self._began, self._froze = time.monotonic(), 0.0
        self._freezing.start()

    def wait_for_freeze(self, left: float) -> Optional[BaseException]:
        """Wait `left` seconds at most. Returns why the group cannot go on, if it cannot."""
        freezing = self._freezing
        within = self._began + self.writer.timeout - time.monotonic()
        if freezing is not None and freezing.wait(max(0.0, min(left, within))):
            error = freezing.error
            if error is None and not self._froze:
                error = WriterFailed(self.writer.name, "it was to be thawed before it was frozen")
        else:
            seconds = time.monotonic() - self._began
            cause = f"it was not frozen after {seconds:.1f} s, and is thawed"
            error = WriterFailed(self.writer.name, cause)
        if error is None:
            self._tell("writer-frozen", self._froze - self._began)
        elif not self._may_go_on("freeze", error):
            return error
        else:
            self.begin_thaw()
        return None

    def begin_thaw(self) -> None:
        """Once for each freeze that was begun, by whatever thread comes first."""
        with self._lock:
            if self._freezing is None:
                return
            if self._thawing is None:
                self._thawing = Task(self._thaw)
            self._thawing.start()

    def wait_for_thaw(self, seconds: Optional[float] = None) -> Optional[BaseException]:
        """Wait so long at most. Returns why it is not known to be thawed, if it has failed."""
        if self._thawing is None or not self._thawing.wait(seconds):
            return None
        return self._thawing.error

    def _freeze(self) -> None:
        try:
            self.writer.freeze()
        finally:
            self._froze = time.monotonic()

    def _thaw(self) -> None:
        began = time.monotonic()
        try:
            self._let_go()
        except Exception as error:
            self._tell_failure("thaw", error)
            cause = f"it is not known to be thawed: {error}"
            name = self.writer.name
            raise WriterFailed(name, cause, _LOOK, exit_status=LEFT_SOMETHING) from error
        finally:
            self.thawed_at = time.monotonic()
            self.held = self.thawed_at - self._began
        self._tell("writer-thawed", self.thawed_at - began, held_ms=milliseconds(self.held))

    def _let_go(self) -> None:
        """A freeze that still runs may freeze something later: that is thawed, too."""
        freezing = self._freezing
        if freezing is None or freezing.cancel():
            return
        has_ended = freezing.wait(_MOMENT)
        self.writer.thaw()
        if not has_ended:
            if not freezing.wait(_LONGEST_FREEZE):
                raise WriterFailed(self.writer.name, "its freeze does not end")
            self.writer.thaw()

    def _work(self, name: str, step: Callable[[], None]) -> Optional[float]:
        """The seconds that it took; None if it has failed, and the writer is not required."""
        began = time.monotonic()
        try:
            step()
        except Exception as error:
            if not self._may_go_on(name, error):
                raise
            return None
        return time.monotonic() - began

    def _may_go_on(self, step: str, error: BaseException) -> bool:
        """Without this writer."""
        self._tell_failure(step, error)
        if self.writer.required or not isinstance(error, Exception):
            return False
        self.failure = error
        return True

    def _tell(self, name: str, seconds: float, **more: Field) -> None:
        ms = milliseconds(seconds)
        text = f"{name.replace('-', f' {self.writer.name} ')} in {ms:g} ms"
        self._report(Event(name, text, {**self._fields(), "ms": ms, **more}))

    def _tell_failure(self, step: str, error: BaseException) -> None:
        fields = {**self._fields(), "step": step, "required": self.writer.required}
        self._report(Event("writer-failed", str(error), {**fields, "error": str(error)}))

    def _fields(self) -> dict[str, Field]:
        return {"writer": self.writer.name, "kind": self.writer.kind}


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
