"""`WriterGroup`: all writers of a run, frozen side by side and for no longer than the window.

The window begins with the first freeze and ends when the last writer is known to be thawed. When
it is over a timer thaws, whatever the servers do meanwhile; the run then fails, since nobody knows
which moment the copies are of.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple, Optional, Sequence

from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.events import Event, Field, Report, ignore
from fsrvpd.requestor.side_by_side import Ending, Task, begin, wait_for
from fsrvpd.requestor.writers.ports import Keeper, SharedTree, Writer
from fsrvpd.requestor.writers.writer_state import WriterState, milliseconds

WINDOW = 10.0  # s: so long Windows lets its writers hold still after a flush
KEEPERS_DELAY = 1.0  # s after the window, so that this process thaws first


class Frozen(NamedTuple):
    """How long the writers held still. `worst`: the one that did so for the longest time."""

    window: float  # s, from the begin of the first freeze to the end of the last thaw
    worst: str
    worst_held: float  # s
    limit: float  # s

    def __str__(self) -> str:
        text = f"writers held still for {milliseconds(self.window):g} ms (limit {self.limit:g} s)"
        return f"{text}; the longest: {self.worst}, {milliseconds(self.worst_held):g} ms"

    def fields(self) -> dict[str, Field]:
        return {
            "window_ms": milliseconds(self.window),
            "worst_writer": self.worst,
            "worst_ms": milliseconds(self.worst_held),
            "limit_ms": milliseconds(self.limit),
        }


class WriterGroup(Closing):
    """A context manager: at its end nothing is frozen, and all that writers have started has ended.

    `window` is in seconds. `report` is told of each step, in any thread. The caller may be
    interrupted anywhere, as by Ctrl-C.
    """

    def __init__(
        self,
        writers: Sequence[Writer],
        *,
        window: float = WINDOW,
        report: Report = ignore,
        keeper: Optional[Keeper] = None,
    ) -> None:
        self.frozen: Optional[Frozen] = None  # once all are thawed
        self._states = [WriterState(writer, report) for writer in writers]
        self._limit = window
        self._report = report
        self._keeper = keeper
        self._lock = threading.Lock()
        self._window: Optional[Ending] = None
        self._began: Optional[float] = None  # the window; None while nothing is frozen
        self._ends = 0.0  # as `_began`, of the monotonic clock
        self._thawing: Optional[Task[None]] = None
        self._is_overrun = False

    @property
    def left_out(self) -> list[tuple[str, Exception]]:
        """Writers that were not required and failed, and why."""
        states = [(state.writer.name, state.failure) for state in self._states]
        return [(name, failure) for name, failure in states if failure is not None]

    def prepare(self) -> None:
        """Let all work ahead. Raises: RequestorError for a writer that is required."""
        _raise(wait_for(begin(WriterState.prepare, self._in_use())))
        recipes = [state.writer.thaw_recipe() for state in self._in_use()]
        wanted = [recipe for recipe in recipes if recipe is not None]
        if not wanted:
            self._keeper = None
        if self._keeper is not None:
            self._keeper.start(wanted)

    def freeze(self) -> None:
        """Freeze all, by priority. Raises: RequestorError, and what interrupts it; then all are
        thawed again."""
        try:
            self._begin_window()
            for states in self._by_priority():
                self._freeze_together(states)
        except BaseException:
            with suppress(RequestorError):  # it is reported, and the first error is the reason
                self._thaw()
            raise

    def thaw(self) -> None:
        """Thaw all. Raises: RequestorError if the window is overrun, or if one is not known to be
        thawed; its exit_status is 5 then."""
        self._thaw()
        if self._is_overrun:
            raise self._overrun()

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """Let all add what the copies need. Raises: as `prepare`."""
        _raise(wait_for(begin(lambda state: state.complete(copies), self._in_use())))

    def close(self) -> None:
        """Raises: RequestorError if one is not known to be thawed."""
        try:
            self._thaw()
        finally:
            if self._keeper is not None:
                self._keeper.close()
            for state in self._states:
                state.writer.close()

    def _in_use(self) -> list[WriterState]:
        return [state for state in self._states if state.failure is None]

    def _by_priority(self) -> list[list[WriterState]]:
        def priority(state: WriterState) -> int:
            return state.writer.priority

        return [list(some) for _, some in groupby(sorted(self._states, key=priority), priority)]

    def _begin_window(self) -> None:
        ends = time.monotonic() + self._limit  # before the keeper thaws, however slow it is
        if self._keeper is not None:
            self._keeper.freezing(self._limit + KEEPERS_DELAY)
        with self._lock:
            self._thawing = None
            self._is_overrun = False
            self._began, self._ends = time.monotonic(), ends
            self._window = Ending()
            timer = threading.Thread(target=self._watch, args=(self._window,), daemon=True)
            timer.start()

    def _freeze_together(self, states: Sequence[WriterState]) -> None:
        used = [state for state in states if state.failure is None]
        with self._lock:
            if self._thawing is not None:
                raise self._overrun()
            for state in used:
                state.begin_freeze()
        _raise([state.wait_for_freeze(self._left()) for state in used])

    def _left(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    def _watch(self, window: Ending) -> None:
        if not window.wait(self._left()):
            self._window_is_over()

    def _window_is_over(self) -> None:
        with self._lock:
            if self._thawing is None and self._began is not None:
                self._is_overrun = True
        self._begin_thaw()

    def _overrun(self) -> RequestorError:
        cause = f"it was over after {self._limit:g} s, and the applications were thawed"
        return RequestorError("the window", cause, "look what took so long, or set a longer one")

    def _begin_thaw(self) -> Optional[Task[None]]:
        """Once, whoever comes first: the timer, or the caller. None if nothing is frozen."""
        with self._lock:
            if self._thawing is None and self._began is not None:
                self._thawing = Task(self._thaw_by_priority)
                # A process that was stopped may come here before its timer.
                self._is_overrun = self._is_overrun or self._left() == 0
            if self._thawing is not None:
                self._thawing.start()  # who came first may have been interrupted before this
            return self._thawing

    def _thaw_by_priority(self) -> None:
        for states in reversed(self._by_priority()):
            for state in states:
                state.begin_thaw()
            for state in states:  # one that hangs keeps no other frozen beyond the window
                state.wait_for_thaw(self._left())
        for state in self._states:
            state.wait_for_thaw()

    def _thaw(self) -> None:
        task = self._begin_thaw()
        if task is None:
            return
        try:
            task.wait()
        finally:
            task.wait()  # a signal ends the waiting, not the thawing
            ends = [task.error, *(state.wait_for_thaw() for state in self._states)]
            errors = [error for error in ends if error is not None]
            self._end_window(is_thawed=not errors)
        _raise(errors)

    def _end_window(self, *, is_thawed: bool) -> None:
        began = self._began
        if began is None:
            return
        if self._window is not None:
            self._window.set()
        if self._keeper is not None and is_thawed:
            self._keeper.thawed()
        with self._lock:  # last: what is interrupted before is done again
            self._began, self._thawing = None, None
        held = [state for state in self._states if state.thawed_at >= began]
        if held and is_thawed:
            worst = max(held, key=lambda state: state.held)
            window = max(state.thawed_at for state in held) - began
            self.frozen = Frozen(window, worst.writer.name, worst.held, self._limit)
            self._report(Event("writers-thawed", str(self.frozen), self.frozen.fields()))


def _raise(errors: Sequence[Optional[BaseException]]) -> None:
    """The first one; each was reported."""
    for error in errors:
        if error is not None:
            raise error
