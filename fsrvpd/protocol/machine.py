"""What stands behind the thirteen methods: sets, turns, jobs and timers.

Theory of operation. A call either answers at once or starts a job; a set runs one job at
a time, and calls that come meanwhile join it where it is what they ask for, else wait in
its queue. Whoever waits has a deadline: when it passes, that call is answered with its
method's time-out and the job goes on, but a result for which nobody waits any more is
undone. A set that is to go is *doomed* (`removal`). A refused call changes nothing but
where the document says so (a second share of a volume shortens the timer, 3.1.4.4).
Nothing here reads a clock, draws a random number or touches a disk: time and ids come in,
actions go out, in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set
from dataclasses import dataclass, field
from math import inf
from typing import Callable, Optional, Union

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum, Request, Response, format_guid, refusal
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Action, Answer, Event, Failed, Job, Outcome, Run, Save, Ticket
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import (
    FILETIME_EPOCH,
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
    to_document,
)
from fsrvpd.protocol.ports import Caller, SharePlace, SnapshotRequest
from fsrvpd.protocol.rules import RULES, SHORT_TIMER
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.protocol.table import ShadowCopySetTable
from fsrvpd.protocol.turns import Turn, Turns

PATIENCE = 150.0  # s that a call without a time-out waits; Windows gives it up after 180 s


@dataclass(eq=False)
class Call:
    """One request. `place` is what is known of the share that it names in opnums 3, 8 and
    9: where it lies, or why it cannot be copied; None in all other methods. `deadline` is
    set when the agent takes the call."""

    ticket: Ticket
    caller: Caller
    opnum: Opnum
    request: Request
    place: Union[SharePlace, PeerError, None] = None
    deadline: float = inf


Then = Callable[[Outcome, "list[Call]"], None]  # what a job's end does, and who waited for it


@dataclass
class Work:
    """The job of a set, who waits for it, and what is queued behind it."""

    shadow_copy_set: ShadowCopySet
    job: Job
    then: Then
    waits: list[Call]
    is_removal: bool = False
    queue: list[Call] = field(default_factory=list)
    removal_waits: list[Call] = field(default_factory=list)  # for the removal that follows


class Machine(ABC):
    """The state of the agent; its methods stand in the modules above this one. `own_names`
    are this server's names and addresses in `unc.normal_host`'s form; the daemon keeps
    them current."""

    def __init__(
        self,
        settings: AgentSettings,
        new_guid: Callable[[], Guid],
        wall_clock: Callable[[], float],
        own_names: Set[str] = frozenset(),
    ) -> None:
        self.settings = settings
        self.own_names = own_names
        self.table = ShadowCopySetTable()
        self.leaving: dict[Guid, ShadowCopySet] = {}  # doomed, not yet gone
        self.unreadable: set[Guid] = set()  # in the store, but nobody knows what they are
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
        call.deadline = now + _patience(call.request)
        self._dispatch(call)
        return self._taken()

    def finished(self, job: Job, outcome: Outcome, now: float) -> list[Action]:
        """Take the end of a job that a `Run` had started."""
        self._now = now
        work = self._work.pop(job.shadow_copy_set_id)
        removal_follows = work.shadow_copy_set.doomed and not work.is_removal
        work.then(outcome, work.waits)
        if removal_follows:
            self._remove_doomed(work.shadow_copy_set, work.removal_waits)
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
            self._retry_removal(key)
        return self._taken()

    def next_deadline(self) -> Optional[float]:
        """When `tick` has something to do next, None when nothing is due."""
        due = self._turns.next_deadline()
        if not self._work and not self._retries:
            return due  # asked at each turn of the loop
        works = self._work.values()
        waits = (c.deadline for w in works for c in (*w.waits, *w.queue, *w.removal_waits))
        dues = (due, *waits, *self._retries.values())
        return min((when for when in dues if when is not None), default=None)

    @property
    def at_work(self) -> int:
        """How many sets have a job under way."""
        return len(self._work)

    def configure(self, settings: AgentSettings) -> None:
        """Go on with other settings, on the same boot and store. Timers that run are
        left as they are."""
        ours = self.settings
        self.settings = settings._replace(boot_id=ours.boot_id, state_id=ours.state_id)
        self._turns.configure(settings.parallel_sets, settings.sequence_timeout)

    # What the methods build on.

    @abstractmethod
    def _dispatch(self, call: Call) -> None:
        """Carry a call out, or start what it needs."""

    @abstractmethod
    def _elapse(self, turn: Turn) -> None:
        """The Message Sequence Timer of a turn has run out."""

    @abstractmethod
    def _remove_doomed(self, shadow_copy_set: ShadowCopySet, waits: list[Call]) -> None:
        """Begin to remove all that a doomed set has made."""

    @abstractmethod
    def _retry_removal(self, key: Guid) -> None:
        """Try again to remove what could not be removed."""

    def _taken(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def _answer(self, call: Call, response: Response, reason: str = "") -> None:
        self._actions.append(Answer(call.ticket, response, reason))

    def _refuse(self, call: Call, result: int, reason: str) -> None:
        self._answer(call, refusal(call.opnum, result), reason)

    def _event(self, name: str, key: Optional[Guid], text: str) -> None:
        self._actions.append(Event(name, key, text))

    def _save(self, shadow_copy_set: ShadowCopySet, *, durable: bool = True) -> None:
        shadow_copy_set.revision += 1
        document = to_document(shadow_copy_set)
        self._actions.append(Save(shadow_copy_set.shadow_copy_set_id, document, durable))

    # What several methods ask first.

    def _lookup(self, key: Guid, unknown: Optional[HResult] = None) -> ShadowCopySet:
        if key == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ShadowCopySetId is NULL (3.1.4)")
        shadow_copy_set = self.table.get(key)
        if shadow_copy_set is None:
            result = self.settings.dialect.unknown_set if unknown is None else unknown
            raise PeerError(result, f"there is no shadow copy set {format_guid(key)}")
        return shadow_copy_set

    def _admit(
        self, call: Call, of: ShadowCopySet, result: HResult = HResult.FSRVP_E_BAD_STATE
    ) -> None:
        rule = RULES[call.opnum]
        if of.status not in rule.permitted:
            why = f"{call.opnum.name} is not permitted in Status {of.status.value}"
            raise PeerError(result, f"{why} ({rule.section})")

    def _mapping(
        self, of: ShadowCopySet, shadow_copy_id: Guid, share: str, unknown: HResult
    ) -> tuple[ShadowCopy, MappedShare]:
        copy = of.copy(shadow_copy_id)
        if copy is None:
            raise PeerError(unknown, f"the set has no shadow copy {format_guid(shadow_copy_id)}")
        mapped = copy.mapped_share(share)
        if mapped is None:
            raise PeerError(unknown, f"share {share!r} is not mapped to this shadow copy")
        return copy, mapped

    def _must_wait(self, call: Call, of: ShadowCopySet) -> bool:
        """Let a call wait for the job of its set, if there is one: for its end where it is
        the very job that the call asks for, else for its own turn after it."""
        work = self._work.get(of.shadow_copy_set_id)
        if work is None:
            return False
        if isinstance(work.job, RULES[call.opnum].job) and not work.queue:
            self._stop_timer(of)
            work.waits.append(call)
        else:
            work.queue.append(call)
        return True

    # Jobs and who waits for them.

    def _start(
        self, shadow_copy_set: ShadowCopySet, job: Job, waits: list[Call], then: Then
    ) -> None:
        self._work[job.shadow_copy_set_id] = Work(shadow_copy_set, job, then, waits)
        self._actions.append(Run(job))

    def _succeed(self, waits: list[Call], of: ShadowCopySet) -> None:
        for call in waits:
            timer = RULES[call.opnum].timer
            if timer:
                self._start_timer(of, timer)
            self._answer(call, m.StatusResponse(HResult.ZERO))

    def _fail(self, waits: list[Call], of: ShadowCopySet, failed: Failed) -> None:
        """Whoever was told of a time-out has the timer running already."""
        for call in waits:
            self._start_timer(of, SHORT_TIMER)
            self._refuse(call, failed.result, failed.reason)

    def _end_late_waits(self, work: Work) -> None:
        """Nobody but the client can be waited for once no call of it waits: the timer runs."""
        for calls in (work.waits, work.queue, work.removal_waits):
            for call in [call for call in calls if call.deadline <= self._now]:
                calls.remove(call)
                why = (
                    f"{call.opnum.name} did not end within its time-out, most likely for a volume"
                    " that is slow or hangs: see `dmesg` and `iostat`"
                )
                self._refuse(call, RULES[call.opnum].late, why)
        turn = self._turn_of(work.shadow_copy_set)
        if turn and turn.deadline is None and not work.waits:
            self._turns.start_timer(turn, SHORT_TIMER, self._now)

    # Turns and timers.

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
                keep=copy.keep,
                state=self.settings.state_id,
            )
            for copy in copies
        ]


def _patience(request: Request) -> float:
    """Seconds that a call may wait: its own time-out, where the method has one."""
    if isinstance(request, (m.PrepareShadowCopySet, m.CommitShadowCopySet, m.ExposeShadowCopySet)):
        return request.timeout_in_milliseconds / 1000
    return PATIENCE
