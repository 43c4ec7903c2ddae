"""The agent of MS-FSRVP 3.1: the thirteen methods as a state machine without I/O.

`method_rules` says what each method needs and does; `creation`, `exposure`, `queries` and
`removal` carry the methods out, `restart` and `maintenance` do what no client asked for, and
`state_machine` holds the state. Each function here takes the time, a monotonic clock in
seconds, and returns the actions that follow, in order.
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import contextmanager
from typing import Callable, Collection, Iterator, Mapping, Optional

from fsrvpd.core.messages import Guid, timeout_of
from fsrvpd.protocol.actions import DEFAULT_CALL_TIMEOUT, Action, Call, Failed, Job, Outcome
from fsrvpd.protocol.server import maintenance, removal, restart
from fsrvpd.protocol.server.method_rules import COMPLETIONS, METHODS
from fsrvpd.protocol.server.state_machine import (
    AgentState,
    Purpose,
    RunningJob,
)
from fsrvpd.protocol.server.view import AgentView
from fsrvpd.protocol.settings import AgentSettings


class Agent:
    """Calls, ends of jobs and time are passed to `call`, `finished` and `tick`; `view`
    answers the questions of other modules. Whatever a method raises, every call that it
    concerned is answered: see `drain_actions`."""

    def __init__(
        self,
        settings: AgentSettings,
        new_guid: Callable[[], Guid],
        wall_clock: Callable[[], float],
        own_names: Set[str] = frozenset(),
    ) -> None:
        self._state = AgentState(settings, METHODS, COMPLETIONS, new_guid, wall_clock, own_names)
        self.view = AgentView(self._state)

    def call(self, call: Call, now: float) -> list[Action]:
        """Take a request."""
        state = self._at(now)
        call.deadline = now + timeout_of(call.request, DEFAULT_CALL_TIMEOUT)
        with self._answering([call]):
            state.dispatch(call)
        return state.drain_actions()

    def finished(self, job: Job, outcome: Outcome, now: float) -> list[Action]:
        """Take the end of a job that a `Run` had started."""
        state = self._at(now)
        running = state.jobs.pop(job.shadow_copy_set_id)
        with self._answering([call for calls in running.waiting_lists() for call in calls]):
            self._end_job(running, outcome)
        return state.drain_actions()

    def drain_actions(self) -> list[Action]:
        """What is left to do after one of these methods has raised."""
        return self._state.drain_actions()

    @contextmanager
    def _answering(self, calls: list[Call]) -> Iterator[None]:
        """If the block fails, refuse those of the calls that nobody else will answer."""
        try:
            yield
        except Exception as error:
            self._state.refuse_forgotten(calls, f"{type(error).__name__}: {error}")
            raise

    def _end_job(self, running: RunningJob, outcome: Outcome) -> None:
        state, shadow_copy_set = self._state, running.shadow_copy_set
        removal_follows = shadow_copy_set.removing and running.purpose is not Purpose.REMOVE_SET
        self._complete(running, outcome)
        if removal_follows:
            removal.start_removal(state, shadow_copy_set, running.removal_waiters)
        for call in running.queue:
            state.dispatch(call)

    def _complete(self, running: RunningJob, outcome: Outcome) -> None:
        completion = self._state.completions[running.purpose]
        if isinstance(outcome, Failed):
            completion.failed(self._state, running, outcome)
        else:
            completion.succeeded(self._state, running, outcome)

    def tick(self, now: float) -> list[Action]:
        """Let time pass: timers expire, waits end, removals are tried again."""
        state = self._at(now)
        for session in state.sessions.expired(now):
            removal.on_timer(state, session)
        for running in list(state.jobs.values()):
            state.end_late_waits(running)
        for key in [key for key, when in state.retries.items() if when <= now]:
            del state.retries[key]
            removal.retry(state, key)
        return state.drain_actions()

    def next_deadline(self) -> Optional[float]:
        """When `tick` has something to do next, None when nothing is due."""
        state = self._state
        due = state.sessions.next_deadline()
        if not state.jobs and not state.retries:
            return due  # asked after each turn of the event loop
        deadlines = (
            c.deadline for job in state.jobs.values() for w in job.waiting_lists() for c in w
        )
        dues = (due, *deadlines, *state.retries.values())
        return min((when for when in dues if when is not None), default=None)

    def configure(self, settings: AgentSettings) -> None:
        """Change the settings, except boot, life and store. Timers that run are not changed."""
        state = self._state
        same = state.settings
        state.settings = settings._replace(
            boot_id=same.boot_id, life=same.life, state_id=same.state_id
        )
        state.sessions.configure(settings.parallel_sets, settings.sequence_timeout)

    def restore(self, documents: Mapping[Guid, str], now: float) -> list[Action]:
        """Populate the table from the store (3.1.3). Raises: StoreError."""
        state = self._at(now)
        restart.restore(state, documents)
        return state.drain_actions()

    def remove_set(self, shadow_copy_set_id: Guid, why: str, now: float) -> list[Action]:
        """Remove a set whatever its Status, for an admin; at once if it waits for another try."""
        state = self._at(now)
        shadow_copy_set = state.table.get(shadow_copy_set_id)
        if shadow_copy_set is not None:
            removal.remove_set(state, shadow_copy_set, why)
        elif state.retries.pop(shadow_copy_set_id, None) is not None:
            removal.retry(state, shadow_copy_set_id)
        return state.drain_actions()

    def keep_set(self, shadow_copy_set_id: Guid, now: float) -> list[Action]:
        """Let the snapshots of a set outlive it, but for those that are being deleted."""
        state = self._at(now)
        shadow_copy_set = state.table.get(shadow_copy_set_id)
        if shadow_copy_set is not None:
            removal.keep_set(state, shadow_copy_set)
        return state.drain_actions()

    def abandon(self, address: str, why: str, now: float) -> list[Action]:
        """End what a client is creating, which has left for good."""
        state = self._at(now)
        session = state.sessions.get(address)
        if session is not None and session.client_address == address:
            removal.end_creation(state, session, why)
        return state.drain_actions()

    def expire(self, now: float) -> list[Action]:
        """Remove the sets that have exceeded their maximum age."""
        state = self._at(now)
        maintenance.expire(state)
        return state.drain_actions()

    def snapshot_gone(self, key: Guid, shadow_copy_id: Guid, now: float) -> list[Action]:
        """React to a snapshot that somebody else removed."""
        state = self._at(now)
        maintenance.snapshot_gone(state, key, shadow_copy_id)
        return state.drain_actions()

    def share_gone(self, key: Guid, names: Collection[str], now: float) -> list[Action]:
        """Recreate the shares of a set that somebody else removed."""
        state = self._at(now)
        maintenance.share_gone(state, key, names)
        return state.drain_actions()

    def mount_gone(self, key: Guid, mount_points: Collection[str], now: float) -> list[Action]:
        """Mount copies of a set again."""
        state = self._at(now)
        maintenance.mount_gone(state, key, mount_points)
        return state.drain_actions()

    def _at(self, now: float) -> AgentState:
        self._state.now = now
        return self._state
