"""The creation of a set over one server or several: together in every step, or undone everywhere.

All servers are started before any takes shares, all prepared before any commits, and all commit
side by side; between these steps each waits for the others.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from fsrvpd.requestor.errors import ServerBusy
from fsrvpd.requestor.events import Event, Report
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.sets.left_behind import LeftBehind
from fsrvpd.requestor.sets.server_side import ServerSide
from fsrvpd.requestor.sets.waiting import Waiting
from fsrvpd.requestor.side_by_side import begin, task_for, wait_for


class Creation:
    """Creates the set of all `sides`. If anything fails, or the caller is interrupted, what the
    servers have of it is undone before the error goes on."""

    def __init__(self, sides: Sequence[ServerSide], report: Report) -> None:
        self.sides = list(sides)
        self.is_complete = False  # on all servers
        self._report = report

    def run(
        self,
        waiting: Waiting,
        freeze: Optional[Callable[[], None]] = None,
        thaw: Optional[Callable[[], None]] = None,
    ) -> None:
        """`freeze` is called just before the first commit, `thaw` right after the last answer,
        whatever that is. Raises: RequestorError, and what those two raise."""
        try:
            self._start(waiting)
            self._all("set-prepared", ServerSide.add_and_prepare)
            for side in self.sides:
                side.save_before_commit()
            self._raise(self._commit(freeze, thaw))
            self._tell("set-committed")
            self._all("set-exposed", ServerSide.expose)
            self.is_complete = True
        except BaseException as error:
            self._undo(error)
            raise
        finally:
            for side in self.sides:
                side.close()

    @property
    def hosts(self) -> list[str]:
        return [side.host for side in self.sides]

    @property
    def records(self) -> list[SetRecord]:
        return [side.set.record for side in self.sides]

    @property
    def skew(self) -> float:
        """Seconds between the first and the last server's answer to its commit."""
        answered = [side.commit_answered for side in self.sides]
        return max(answered) - min(answered)

    @property
    def window(self) -> float:
        """Seconds from the first commit's call to the last one's answer: applications that are
        frozen wait so long."""
        sent = min(side.commit_sent for side in self.sides)
        return max(side.commit_answered for side in self.sides) - sent

    def _start(self, waiting: Waiting) -> None:
        """Start the set on all servers. While one is busy none is held: two clients that wait for
        one another's servers would wait in vain."""
        while True:
            errors = self._side_by_side(ServerSide.start)
            serious = [error for error in errors if not isinstance(error, ServerBusy)]
            if serious or (errors and waiting.is_over()):
                self._raise([*serious, *errors])
            if not errors:
                self._tell("set-started")
                return
            self._raise(self._side_by_side(ServerSide.undo_start))
            waiting.wait(errors[0])

    def _commit(
        self, freeze: Optional[Callable[[], None]], thaw: Optional[Callable[[], None]]
    ) -> list[Exception]:
        """Thaw once, also if an interrupt comes while `freeze` runs or just when it has returned;
        a `freeze` that fails has nothing to thaw."""
        try:
            if freeze is not None:
                try:
                    freeze()
                except Exception:
                    thaw = None
                    raise
            return self._side_by_side(ServerSide.commit)
        finally:
            if thaw is not None:
                thaw()

    def _all(self, event: str, step: Callable[[ServerSide], None]) -> None:
        self._raise(self._side_by_side(step))
        self._tell(event)

    def _side_by_side(self, step: Callable[[ServerSide], None]) -> list[Exception]:
        tasks = [task_for(step, side) for side in self.sides]
        for side, task in zip(self.sides, tasks):
            side.task = task
        for task in tasks:
            task.start()
        return wait_for(tasks)

    def _raise(self, errors: Sequence[Exception]) -> None:
        """Raise the first error, and report the others."""
        for error in errors[1:]:
            self._report(Event("set-refused", str(error), {}))
        if errors:
            raise errors[0]

    def _tell(self, event: str) -> None:
        for side in self.sides:
            name = side.host
            text = f"{name}: {event.replace('-', ' ')}"
            self._report(Event(event, text, {"server": name}))

    def _undo(self, error: BaseException) -> None:
        """Undo everywhere. Raises: LeftBehind, unless `error` is more than a failure."""
        failed = wait_for(begin(ServerSide.undo, self.sides))
        for each in failed:
            self._report(Event("removal-failed", str(each), {}))
        if failed and isinstance(error, Exception):
            raise LeftBehind(error, failed) from error
