"""The state of the agent: sets, creation sessions, jobs and timers.

Theory of operation. A call is answered at once or starts a job. A set runs one job at a
time; calls that arrive meanwhile join it if it does what they ask for, and are queued behind
it otherwise. Each waiting call has a deadline: when it passes, the call is answered with its
method's time-out result and the job continues, but a result for which no call waits any more
is rolled back. A set that is to be removed leaves the table at once (`removal`). A refused
call changes nothing except where MS-FSRVP says so (a second share of a volume shortens the
timer, 3.1.4.4). Nothing here reads a clock, draws a random number or touches a disk: time
and ids are passed in, and actions are returned, in order.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import Callable, Mapping, NamedTuple, Optional

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum, Response, format_guid, refusal
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import (
    Action,
    Call,
    Durability,
    Event,
    Failed,
    Forget,
    Job,
    Reply,
    Run,
    Save,
    Succeeded,
)
from fsrvpd.protocol.hresult import HResult, hresult_of
from fsrvpd.protocol.model import (
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
)
from fsrvpd.protocol.ports import ShareLocation, SnapshotRequest
from fsrvpd.protocol.server.creation_session import SHORT_TIMER, CreationSessions
from fsrvpd.protocol.server.document import to_document
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.protocol.table import ShadowCopySetTable


class Purpose(Enum):
    """Why a job runs. The agent has one job of each kind at most for a set."""

    PREPARE = auto()
    COMMIT = auto()
    EXPOSE = auto()
    RECOVER = auto()
    DELETE_MAPPING = auto()
    REMOVE_SET = auto()
    ROLL_BACK = auto()
    UNEXPOSE_PARTIAL = auto()
    RECREATE_SHARES = auto()
    CONCLUDE = auto()


class Removal(Enum):
    """What the success of a method removes."""

    SET = auto()
    MAPPING = auto()  # and the set with its last one


class Completion(NamedTuple):
    """What follows the end of a job."""

    succeeded: Callable[[AgentState, RunningJob, Succeeded], None]
    failed: Callable[[AgentState, RunningJob, Failed], None]


class MethodRule(NamedTuple):
    """One method of the protocol. The set meant here is the one that the request names."""

    section: str  # of MS-FSRVP
    handler: Callable[[AgentState, Call], None]
    permitted: frozenset[Status] = frozenset()  # Statuses of the set in which it may be called
    running_status: Optional[Status] = None  # of the set while the job runs; None: unchanged
    next_status: Optional[Status] = None  # of the set after success; None: unchanged
    wait_failed_status: Optional[Status] = None  # of the set after FSRVP_E_WAIT_FAILED
    removes: Optional[Removal] = None
    timer: int = 0  # s, of the Message Sequence Timer after success; 0: it is not started
    purpose: Optional[Purpose] = None  # of the job that it starts, or joins where that runs
    timeout_result: HResult = HResult.FSRVP_E_WAIT_TIMEOUT  # for a call that waited too long


@dataclass
class RunningJob:
    """The job of a set, the calls that wait for its end, and those queued behind it."""

    shadow_copy_set: ShadowCopySet
    job: Job
    purpose: Purpose
    waiters: list[Call]
    queue: list[Call] = field(default_factory=list)
    removal_waiters: list[Call] = field(default_factory=list)  # for the removal that follows

    def waiting_lists(self) -> tuple[list[Call], list[Call], list[Call]]:
        return self.waiters, self.queue, self.removal_waiters


class AgentState:
    """Everything that the agent knows. The modules beside this one change it.

    `now` is the monotonic time in seconds of the event that is being handled. `own_names` are
    this server's names and addresses in `unc.normal_host`'s form; the daemon updates them.
    """

    def __init__(
        self,
        settings: AgentSettings,
        methods: Mapping[Opnum, MethodRule],
        completions: Mapping[Purpose, Completion],
        new_guid: Callable[[], Guid],
        wall_clock: Callable[[], float],
        own_names: Set[str],
    ) -> None:
        self.settings = settings
        self.methods = methods
        self.completions = completions
        self.new_guid = new_guid
        self.wall_clock = wall_clock
        self.own_names = own_names
        self.now = 0.0
        self.table = ShadowCopySetTable()
        self.removing: dict[Guid, ShadowCopySet] = {}  # no longer in the table
        self.unreadable: set[Guid] = set()  # in the store, with documents that cannot be read
        self.sessions = CreationSessions(settings.parallel_sets, settings.sequence_timeout)
        self.jobs: dict[Guid, RunningJob] = {}  # by set
        self.retries: dict[Guid, float] = {}  # when to try again to remove something of a set
        self.kept_ended = 0  # kept copies that have outlived their sets
        self.clock_offset: Optional[float] = None  # s, wall clock less monotonic clock
        self._actions: list[Action] = []

    # Actions.

    def drain_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def reply(self, call: Call, response: Response, reason: str = "") -> None:
        self._actions.append(Reply(call, response, reason))

    def refuse(self, call: Call, result: int, reason: str) -> None:
        self.reply(call, refusal(call.opnum, result), reason)

    def event(self, name: str, key: Optional[Guid], text: str) -> None:
        self._actions.append(Event(name, key, text))

    def save(self, shadow_copy_set: ShadowCopySet, durability: Optional[Durability] = None) -> None:
        """Store a set as it is. Without `durability` it survives a power cut as far as the set
        does itself: without VSS_VOLSNAP_ATTR_PERSISTENT it ends with the boot (2.2.2.1), and the
        intent of its commit says what there is to be removed."""
        if durability is Durability.LATER and shadow_copy_set.undo_recorded:
            durability = None  # else the restart would undo it
        shadow_copy_set.undo_recorded = False
        shadow_copy_set.revision += 1
        self._store(shadow_copy_set, shadow_copy_set, durability)

    def save_refusal(self, running: RunningJob) -> None:
        """Before a client is told that its Commit or Expose has failed: the job may succeed all
        the same, or be undone in a way that a power cut undoes again, and the next start would
        take what it finds for a success."""
        shadow_copy_set = running.shadow_copy_set
        if shadow_copy_set.removing or shadow_copy_set.undo_recorded:
            return
        if running.purpose is Purpose.COMMIT:  # a restart removes the set
            self._store(shadow_copy_set, replace(shadow_copy_set, removing=True))
        elif running.purpose is Purpose.EXPOSE:  # a restart removes the shares that it names
            self._store(shadow_copy_set, shadow_copy_set)
        else:
            return
        shadow_copy_set.undo_recorded = True

    def _store(
        self,
        shadow_copy_set: ShadowCopySet,
        content: ShadowCopySet,
        durability: Optional[Durability] = None,
    ) -> None:
        if durability is None:
            # What outlives its set outlives the boot too: the intent would have it removed.
            lasts = context.is_persistent(content.context) or content.outliving
            durability = Durability.SYNCED if lasts else Durability.WRITTEN
        key = shadow_copy_set.shadow_copy_set_id
        self._actions.append(Save(key, partial(to_document, content), durability))

    def forget(self, shadow_copy_set: ShadowCopySet) -> None:
        self._actions.append(Forget(shadow_copy_set.shadow_copy_set_id))

    # Calls.

    def dispatch(self, call: Call) -> None:
        """Carry out a call, or start what it needs."""
        try:
            self.methods[call.opnum].handler(self, call)
        except PeerError as error:
            self.refuse(call, hresult_of(error), str(error))

    def admit(
        self,
        call: Call,
        key: Guid,
        unknown: Optional[HResult] = None,
        wrong_status: HResult = HResult.FSRVP_E_BAD_STATE,
    ) -> Optional[ShadowCopySet]:
        """The set that a request names, if its method may run now; None if the call waits for a
        job of the set. Raises: PeerError, with `unknown` or `wrong_status`."""
        shadow_copy_set = self.lookup(key, unknown)
        if self.join_or_queue(call, shadow_copy_set):
            return None
        self.require_status(call, shadow_copy_set, wrong_status)
        return shadow_copy_set

    def lookup(self, key: Guid, unknown: Optional[HResult] = None) -> ShadowCopySet:
        """Return the set that a request names. Raises: PeerError, with `unknown` if none has it."""
        if key == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ShadowCopySetId is NULL (3.1.4)")
        shadow_copy_set = self.table.get(key)
        if shadow_copy_set is None:
            result = self.settings.dialect.unknown_set if unknown is None else unknown
            raise PeerError(result, f"there is no shadow copy set {format_guid(key)}")
        return shadow_copy_set

    def join_or_queue(self, call: Call, shadow_copy_set: ShadowCopySet) -> bool:
        """Let a call wait if its set has a job: for the end of that job if it does what the
        call asks for, otherwise for its turn afterwards. Returns whether the call waits."""
        running = self.jobs.get(shadow_copy_set.shadow_copy_set_id)
        if running is None:
            return False
        if running.purpose is self.methods[call.opnum].purpose and not running.queue:
            self.stop_timer(shadow_copy_set)
            running.waiters.append(call)
        else:
            running.queue.append(call)
        return True

    def require_status(
        self,
        call: Call,
        shadow_copy_set: ShadowCopySet,
        result: HResult = HResult.FSRVP_E_BAD_STATE,
    ) -> None:
        """Raises: PeerError if the method is not permitted in the Status of the set."""
        rule = self.methods[call.opnum]
        if shadow_copy_set.status not in rule.permitted:
            status = shadow_copy_set.status.value
            why = f"{call.opnum.name} is not permitted in Status {status} ({rule.section})"
            raise PeerError(result, why)

    def advance(self, shadow_copy_set: ShadowCopySet, opnum: Opnum) -> None:
        """Give a set the Status that follows the success of a method."""
        self.set_status(shadow_copy_set, self.methods[opnum].next_status)

    def set_status(self, shadow_copy_set: ShadowCopySet, status: Optional[Status]) -> None:
        """Change a set's Status; None leaves it as it is."""
        if status is not None:
            self.table.set_status(shadow_copy_set, status)

    def answer_waiters(self, shadow_copy_set: ShadowCopySet, waiters: list[Call]) -> None:
        """Answer calls that succeeded, and start the timer that their methods start."""
        for call in waiters:
            timer = self.methods[call.opnum].timer
            if timer:
                self.start_timer(shadow_copy_set, timer)
            self.reply(call, m.StatusResponse(HResult.ZERO))

    def refuse_forgotten(self, calls: list[Call], reason: str) -> None:
        """After a fault of ours: refuse the calls that are neither answered nor waiting."""
        answered = {each.call for each in self._actions if isinstance(each, Reply)}
        lists = (calls for job in self.jobs.values() for calls in job.waiting_lists())
        waiting = {call for calls in lists for call in calls}
        for call in calls:
            if call not in answered | waiting:
                self.refuse(call, HResult.E_UNEXPECTED, reason)

    def refuse_waiters(self, running: RunningJob, failed: Failed) -> None:
        """Refuse the calls that wait for a job. The timer runs already if none waits."""
        if running.waiters:
            self.save_refusal(running)
        for call in running.waiters:
            self.start_timer(running.shadow_copy_set, SHORT_TIMER)
            self.refuse(call, failed.result, failed.reason)

    def forget_everything_about(self, shadow_copy_set: ShadowCopySet) -> None:
        """Have nothing more to do with a set. The store keeps its document."""
        key = shadow_copy_set.shadow_copy_set_id
        self._actions = [each for each in self._actions if _set_of(each) != key]
        self.end_session(shadow_copy_set)
        self.table.remove(shadow_copy_set)
        for known in (self.removing, self.jobs, self.retries):
            known.pop(key, None)

    # Jobs.

    def begin(self, call: Call, shadow_copy_set: ShadowCopySet) -> None:
        """Stop the timer while a call's job runs, and give the set the Status for that time."""
        self.stop_timer(shadow_copy_set)
        self.set_status(shadow_copy_set, self.methods[call.opnum].running_status)

    def start_job(
        self, shadow_copy_set: ShadowCopySet, job: Job, purpose: Purpose, waiters: list[Call]
    ) -> None:
        key = shadow_copy_set.shadow_copy_set_id
        self.jobs[key] = RunningJob(shadow_copy_set, job, purpose, waiters)
        self._actions.append(Run(job))

    def start_again(self, running: RunningJob) -> None:
        """Run a job once more for the calls that are queued behind it."""
        self._actions.append(Run(running.job))

    def end_late_waits(self, running: RunningJob) -> None:
        """Answer calls whose deadlines have passed. Once none waits for the job, only the
        client can act, and the timer runs."""
        for calls in running.waiting_lists():
            for call in [call for call in calls if call.deadline <= self.now]:
                if calls is running.waiters:
                    self.save_refusal(running)
                calls.remove(call)
                why = (
                    f"{call.opnum.name} timed out, most likely because a volume is slow or hung;"
                    " check `dmesg` and `iostat`"
                )
                self.refuse(call, self.methods[call.opnum].timeout_result, why)
        session = self.sessions.for_set(running.shadow_copy_set)
        if session and session.deadline is None and not running.waiters:
            self.sessions.start_timer(session, SHORT_TIMER, self.now)

    # Creation sessions and their timers.

    def is_finished(self, shadow_copy_set: ShadowCopySet) -> bool:
        """Whether the creation of a set is over: no timer and no SetContext removes it."""
        if self.settings.dialect.exposed_is_finished:
            return shadow_copy_set.status in (Status.EXPOSED, Status.RECOVERED)
        return shadow_copy_set.status is Status.RECOVERED

    def stop_timer(self, shadow_copy_set: ShadowCopySet) -> None:
        session = self.sessions.for_set(shadow_copy_set)
        if session:
            session.deadline = None

    def start_timer(self, shadow_copy_set: ShadowCopySet, seconds: int) -> None:
        session = self.sessions.for_set(shadow_copy_set)
        if session:
            self.sessions.start_timer(session, seconds, self.now)

    def end_session(self, shadow_copy_set: ShadowCopySet) -> None:
        session = self.sessions.for_set(shadow_copy_set)
        if session:
            self.sessions.end(session)

    def requests(
        self, shadow_copy_set: ShadowCopySet, copies: list[ShadowCopy]
    ) -> list[SnapshotRequest]:
        """What providers are to take, or have taken, for these copies of a set."""
        return [
            SnapshotRequest(
                shadow_copy_set_id=format_guid(shadow_copy_set.shadow_copy_set_id),
                shadow_copy_id=format_guid(copy.shadow_copy_id),
                location=copy.location,
                writable=context.is_writable(shadow_copy_set.context),
                created=copy.created,
                server=self.settings.owner_machine_name,
                keep=copy.keep,
                state=self.settings.state_id,
                mapped=[each.location for each in copy.share_mapping_list if each.location],
            )
            for copy in copies
        ]


def _set_of(action: Action) -> Optional[Guid]:
    """The set that an action concerns; a reply concerns a call."""
    if isinstance(action, Reply):
        return None
    return action.job.shadow_copy_set_id if isinstance(action, Run) else action.shadow_copy_set_id


def require_location(call: Call) -> ShareLocation:
    """Return the location of the share that a call names. Raises: PeerError with the reason."""
    if isinstance(call.location, ShareLocation):
        return call.location
    raise call.location or PeerError(HResult.E_UNEXPECTED, "the share was not looked up")


def require_mapping(
    shadow_copy_set: ShadowCopySet, shadow_copy_id: Guid, share: str, unknown: HResult
) -> tuple[ShadowCopy, MappedShare]:
    """A copy of a set and its mapping of a share. Raises: PeerError with `unknown`."""
    copy = shadow_copy_set.copy(shadow_copy_id)
    if copy is None:
        raise PeerError(unknown, f"the set has no shadow copy {format_guid(shadow_copy_id)}")
    mapped = copy.mapped_share(share)
    if mapped is None:
        raise PeerError(unknown, f"share {share!r} is not mapped to this shadow copy")
    return copy, mapped
