"""What stands behind the thirteen methods: sets, turns, jobs, timers and their ends.

Theory of operation. A call either answers at once or starts a job; a set runs one job at
a time, and calls that come meanwhile wait in its queue. Whoever waits for a job may have a
deadline: when it passes, that call is answered with its method's time-out and the job goes
on, but a result for which nobody waits any more is undone. A set that is to go is *doomed*:
it leaves the table at once, its doom is made durable, and it is forgotten only when its
shares and snapshots are gone; what cannot be removed now is tried again later. Nothing
here reads a clock, draws a random number or touches a disk: time and ids come in, actions
go out, in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Mapping, NamedTuple, Optional, Union

from fsrvpd.core.messages import (
    Guid,
    Opnum,
    Request,
    Response,
    StatusResponse,
    format_guid,
    refusal,
)
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import (
    Action,
    Answer,
    Event,
    Failed,
    Forget,
    Job,
    Outcome,
    Remove,
    Run,
    Save,
    Ticket,
)
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import (
    FILETIME_EPOCH,
    PUBLISHED,
    ShadowCopy,
    ShadowCopySet,
    Status,
    from_document,
    to_document,
)
from fsrvpd.protocol.ports import Caller, SharePlace, SnapshotRequest
from fsrvpd.protocol.rules import SHORT_TIMER
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.protocol.table import ShadowCopySetTable
from fsrvpd.protocol.turns import Turn, Turns

REMOVAL_RETRY = 60.0  # seconds until what could not be removed is tried again


class Call(NamedTuple):
    """One request. `place` is what is known of the share that it names in opnums 3, 8 and
    9: where it lies, or why it cannot be copied; None in all other methods."""

    ticket: Ticket
    caller: Caller
    opnum: Opnum
    request: Request
    place: Union[SharePlace, PeerError, None] = None


class Wait(NamedTuple):
    """A call that waits for a job; without a deadline it waits for the job's end."""

    call: Call
    deadline: Optional[float] = None
    late: HResult = HResult.FSRVP_E_WAIT_TIMEOUT


@dataclass
class Work:
    """The job of a set, who waits for it, and what is queued behind it."""

    shadow_copy_set: ShadowCopySet
    job: Job
    then: Callable[[Outcome, list[Wait]], None]
    waits: list[Wait]
    is_removal: bool = False
    queue: deque[Call] = field(default_factory=deque)
    removal_waits: list[Wait] = field(default_factory=list)  # who waits for what follows doom


class Machine(ABC):
    """The state of the agent; `Agent` adds the methods."""

    def __init__(
        self,
        settings: AgentSettings,
        new_guid: Callable[[], Guid],
        wall_clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.table = ShadowCopySetTable()
        self.leaving: dict[Guid, ShadowCopySet] = {}  # doomed, not yet gone
        self._turns = Turns(settings.parallel_sets, settings.sequence_timeout)
        self._work: dict[Guid, Work] = {}
        self._retries: dict[Guid, float] = {}
        self._new_guid = new_guid
        self._wall_clock = wall_clock
        self._now = 0.0
        self._actions: list[Action] = []

    # What the daemon calls.

    def call(self, call: Call, now: float) -> list[Action]:
        """Take a request. `now` is a monotonic clock in seconds."""
        self._now = now
        self._dispatch(call)
        return self._taken()

    def finished(self, job: Job, outcome: Outcome, now: float) -> list[Action]:
        """Take the end of a job that a `Run` had started."""
        self._now = now
        work = self._work.pop(job.shadow_copy_set_id)
        work.then(outcome, work.waits)
        shadow_copy_set = work.shadow_copy_set
        if shadow_copy_set.doomed and not work.is_removal:
            self._remove_doomed(shadow_copy_set, work.removal_waits)
        for call in work.queue:
            self._dispatch(call)
        return self._taken()

    def tick(self, now: float) -> list[Action]:
        """Let time pass: timers elapse, waits end, removals are tried again."""
        self._now = now
        for turn in self._turns.elapsed(now):
            self._elapse(turn)
        for work in list(self._work.values()):
            self._end_late_waits(work)
        for key in [key for key, when in self._retries.items() if when <= now]:
            del self._retries[key]
            self._remove_doomed(self.leaving[key], [])
        return self._taken()

    def next_deadline(self) -> Optional[float]:
        """When `tick` has something to do next, None when nothing is due."""
        waits = (wait.deadline for work in self._work.values() for wait in work.waits)
        removals = (w.deadline for work in self._work.values() for w in work.removal_waits)
        due = [self._turns.next_deadline(), *waits, *removals, *self._retries.values()]
        return min((when for when in due if when is not None), default=None)

    def restore(self, documents: Mapping[Guid, str], now: float) -> list[Action]:
        """Populate the table from the store (3.1.3): what was answered as Committed,
        Exposed or Recovered lives on, everything else is undone."""
        self._now = now
        for key, document in documents.items():
            try:
                self._restore_set(from_document(document))
            except ValueError as error:
                self._event("set-unreadable", key, f"{format_guid(key)} in the store: {error}")
        return self._taken()

    def doom(self, shadow_copy_set_id: Guid, why: str, now: float) -> list[Action]:
        """Remove a set whatever its Status, for an admin or the housekeeping."""
        self._now = now
        shadow_copy_set = self.table.get(shadow_copy_set_id)
        if shadow_copy_set is not None:
            self._doom(shadow_copy_set, why)
        return self._taken()

    # What the methods build on.

    @abstractmethod
    def _dispatch(self, call: Call) -> None:
        """Carry a call out, or start what it needs."""

    @abstractmethod
    def _resume_deletion(self, shadow_copy_set: ShadowCopySet) -> None:
        """Finish what a DeleteShareMapping had begun before a restart."""

    def _taken(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def _answer(self, call: Call, response: Response, reason: str = "") -> None:
        self._actions.append(Answer(call.ticket, response, reason))

    def _refuse(self, call: Call, result: int, reason: str) -> None:
        self._answer(call, refusal(call.opnum, result), reason)

    def _event(self, name: str, key: Optional[Guid], text: str) -> None:
        self._actions.append(Event(name, key, text))

    def _save(self, shadow_copy_set: ShadowCopySet) -> None:
        document = to_document(shadow_copy_set)
        self._actions.append(Save(shadow_copy_set.shadow_copy_set_id, document))

    def _start(
        self,
        shadow_copy_set: ShadowCopySet,
        job: Job,
        wait: Optional[Wait],
        then: Callable[[Outcome, list[Wait]], None],
    ) -> None:
        waits = [] if wait is None else [wait]
        self._work[job.shadow_copy_set_id] = Work(shadow_copy_set, job, then, waits)
        self._actions.append(Run(job))

    def _is_finished(self, shadow_copy_set: ShadowCopySet) -> bool:
        """Whether its creation is over, so that timer and SetContext leave it alone."""
        if self.settings.dialect.exposed_is_finished:
            return shadow_copy_set.status in (Status.EXPOSED, Status.RECOVERED)
        return shadow_copy_set.status is Status.RECOVERED

    def _turn_of(self, shadow_copy_set: ShadowCopySet) -> Optional[Turn]:
        turn = self._turns.of(shadow_copy_set.client_address)
        if turn and turn.shadow_copy_set_id == shadow_copy_set.shadow_copy_set_id:
            return turn
        return None

    def _stop_timer(self, shadow_copy_set: ShadowCopySet) -> None:
        turn = self._turn_of(shadow_copy_set)
        if turn:
            turn.deadline = None

    def _start_timer(self, shadow_copy_set: ShadowCopySet, seconds: int) -> None:
        turn = self._turn_of(shadow_copy_set)
        if turn:
            self._turns.start_timer(turn, seconds, self._now)

    def _free_turn(self, shadow_copy_set: ShadowCopySet) -> None:
        turn = self._turn_of(shadow_copy_set)
        if turn:
            self._turns.end(turn)

    def _requests(self, copies: list[ShadowCopy], of: ShadowCopySet) -> list[SnapshotRequest]:
        return [
            SnapshotRequest(
                shadow_copy_set_id=format_guid(of.shadow_copy_set_id),
                shadow_copy_id=format_guid(copy.shadow_copy_id),
                place=copy.place,
                writable=context.is_writable(of.context),
                created=copy.creation_timestamp / 10_000_000 - FILETIME_EPOCH,
                server=self.settings.owner_machine_name,
            )
            for copy in copies
        ]

    # Timers.

    def _elapse(self, turn: Turn) -> None:
        """Spec: MS-FSRVP 3.1.5."""
        self._turns.end(turn)
        shadow_copy_set = self.table.get(turn.shadow_copy_set_id or b"")
        why = f"the message sequence timer of client {turn.client_address} elapsed"
        if shadow_copy_set is None:
            self._event("timer-elapsed", None, why)
        elif not self._is_finished(shadow_copy_set):
            self._event("timer-elapsed", shadow_copy_set.shadow_copy_set_id, why)
            self._doom(shadow_copy_set, why)

    def _end_late_waits(self, work: Work) -> None:
        for waits in (work.waits, work.removal_waits):
            for wait in [w for w in waits if w.deadline is not None and w.deadline <= self._now]:
                waits.remove(wait)
                self._start_timer(work.shadow_copy_set, SHORT_TIMER)
                method = wait.call.opnum.name
                self._refuse(wait.call, wait.late, f"{method} did not end within its time-out")

    # Ends.

    def _doom(self, shadow_copy_set: ShadowCopySet, why: str, wait: Optional[Wait] = None) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self.table.remove(shadow_copy_set)
        self._free_turn(shadow_copy_set)
        shadow_copy_set.doomed = True
        self.leaving[key] = shadow_copy_set
        self._event("set-removing", key, f"{format_guid(key)} goes: {why}")
        waits = [] if wait is None else [wait]
        work = self._work.get(key)
        if work is None:
            self._remove_doomed(shadow_copy_set, waits)
            return
        self._save(shadow_copy_set)
        work.removal_waits += waits
        for other in work.waits:
            self._refuse(other.call, HResult.FSRVP_E_BAD_STATE, f"the set goes: {why}")
        work.waits.clear()

    def _remove_doomed(self, shadow_copy_set: ShadowCopySet, waits: list[Wait]) -> None:
        job = self._removal_of(shadow_copy_set)
        if not (job.names or job.snapshots or job.unknown):
            self._forget(shadow_copy_set, waits)
            return
        self._save(shadow_copy_set)

        def then(outcome: Outcome, waits: list[Wait]) -> None:
            if isinstance(outcome, Failed):
                self._retry_removal(shadow_copy_set, outcome, waits)
            else:
                self._forget(shadow_copy_set, waits)

        self._work[job.shadow_copy_set_id] = Work(shadow_copy_set, job, then, waits, True)
        self._actions.append(Run(job))

    def _retry_removal(
        self, shadow_copy_set: ShadowCopySet, failed: Failed, waits: list[Wait]
    ) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self._retries[key] = self._now + REMOVAL_RETRY
        text = f"not removed, tried again in {REMOVAL_RETRY:.0f} s: {failed.reason}"
        self._event("removal-failed", key, text)
        for wait in waits:
            self._refuse(wait.call, failed.result, failed.reason)

    def _removal_of(self, shadow_copy_set: ShadowCopySet) -> Remove:
        copies = shadow_copy_set.shadow_copy_list
        lost: list[ShadowCopy] = []
        if shadow_copy_set.status is Status.CREATION_IN_PROGRESS:
            lost = [copy for copy in copies if copy.snapshot is None]
        return Remove(
            shadow_copy_set.shadow_copy_set_id,
            names=shadow_copy_set.exposed_names,
            snapshots=[copy.snapshot for copy in copies if copy.snapshot is not None],
            unknown=self._requests(lost, shadow_copy_set),
        )

    def _forget(self, shadow_copy_set: ShadowCopySet, waits: list[Wait]) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self.leaving.pop(key, None)
        self._actions.append(Forget(key))
        self._event("set-removed", key, f"{format_guid(key)} and all that it had made is gone")
        for wait in waits:
            self._answer(wait.call, StatusResponse(HResult.ZERO))

    # Restart.

    def _restore_set(self, shadow_copy_set: ShadowCopySet) -> None:
        if shadow_copy_set.doomed or shadow_copy_set.status not in PUBLISHED:
            self._doom(shadow_copy_set, "its creation was cut short by a restart")
            return
        self.table.add(shadow_copy_set)
        if not self._is_finished(shadow_copy_set):
            turn = Turn(shadow_copy_set.client_address, shadow_copy_set.context)
            turn.shadow_copy_set_id = shadow_copy_set.shadow_copy_set_id
            self._turns.begin(turn)
            self._turns.start_timer(turn, SHORT_TIMER, self._now)
        self._resume_deletion(shadow_copy_set)
