"""Drives the protocol's state machine and carries out its actions.

Actions are collected during a turn of the event loop and carried out at its end: first one
transaction with all changes, then the replies. So many clients share one sync of the disk, and
no client is told of a change that could still be lost. What a restart finds by itself is written
after the replies. While a store still writes, what follows is collected for its next transaction.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Callable, Collection, NamedTuple, Optional, Protocol, Sequence, Union

from fsrvpd.core.messages import (
    AddToShadowCopySet,
    Guid,
    IsPathShadowCopied,
    IsPathSupported,
    Opnum,
    Response,
    format_guid,
    refusal,
)
from fsrvpd.daemon.agent import next_steps
from fsrvpd.daemon.agent.share_lookups import Location, ShareLookups
from fsrvpd.daemon.event_loop import EventLoop, TimerHandle
from fsrvpd.daemon.log import message_format
from fsrvpd.daemon.log.events import Field, is_wanted, report
from fsrvpd.errors import StoreError
from fsrvpd.protocol.actions import (
    Action,
    Call,
    Durability,
    Event,
    Failed,
    Forget,
    Job,
    Outcome,
    Reply,
    Run,
    Save,
)
from fsrvpd.protocol.hresult import HResult, describe, name_of
from fsrvpd.protocol.ports import StateStore
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.protocol.settings import AgentSettings

log = logging.getLogger("fsrvpd.agent")

# A client of Windows Server 2012 gets it for each set, asks again, and nobody has to know.
_EXPECTED = frozenset({HResult.VSS_E_BAD_STATE_2012})
_NAMING_A_SHARE = (IsPathSupported, IsPathShadowCopied, AddToShadowCopySet)


class Answer(NamedTuple):
    """A call and its response. `seconds` since the call's arrival."""

    call: Call
    response: Response
    reason: str
    seconds: float


class Written(NamedTuple):
    """Tell somebody that what was collected before is written, or why it is not."""

    done: Callable[[Optional[StoreError]], None]


Step = Union[Action, Written]


class Runner(Protocol):
    """Runs jobs outside the event loop."""

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Start a job; `done` is called once, in the thread that runs it."""


class AgentDriver:
    """Passes calls, ends of jobs and time to the agent. Belongs to the event loop's thread."""

    def __init__(
        self,
        loop: EventLoop,
        agent: Agent,
        store: StateStore,
        runner: Runner,
        lookups: ShareLookups,
    ) -> None:
        self.view = agent.view
        self.results: Counter[tuple[Opnum, int]] = Counter()  # replies, by method and result
        self.running_jobs = 0
        self.store_failure = ""  # why the last change could not be written, if so
        self._loop = loop
        self._agent = agent
        self._store = store
        self._runner = runner
        self._lookups = lookups
        self._observers: list[tuple[frozenset[Opnum], Callable[[Answer], None]]] = []
        self._set_observers: list[Callable[[Union[Event, Forget]], None]] = []
        self._steps: list[Step] = []  # collected for the next transaction
        self._flush_is_pending = False
        self._is_flushing = False
        # What waits for the transaction that the store has not finished, if so.
        self._waiting: Optional[Sequence[Step]] = None
        self._timer: Optional[TimerHandle] = None

    @property
    def calls(self) -> Counter[str]:
        """The number of answered calls, by method."""
        found: Counter[str] = Counter()
        for (opnum, _), number in self.results.items():
            found[opnum.name] += number
        return found

    @property
    def failures(self) -> Counter[str]:
        """The number of refused calls, by the name of the error."""
        found: Counter[str] = Counter()
        for (_, result), number in self.results.items():
            if result:
                found[describe(result)] += number
        return found

    def observe(
        self, observer: Callable[[Answer], None], methods: Collection[Opnum] = Opnum
    ) -> None:
        """Call `observer` for each reply of these methods after it was sent: no client waits for
        it."""
        self._observers.append((frozenset(methods), observer))

    def observe_sets(self, observer: Callable[[Union[Event, Forget]], None]) -> None:
        """Call `observer` for each event of a set, and when a set is forgotten."""
        self._set_observers.append(observer)

    def call(self, call: Call) -> None:
        """Pass a call to the agent, after looking up the share that it names."""
        request = call.request
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "request of %s: %s", call.caller.address, message_format.format_message(request)
            )
        if isinstance(request, _NAMING_A_SHARE):
            self._lookups.find(
                request.share_name,
                f"{call.caller.user_sid or call.caller.account} at {call.caller.address}",
                lambda location: self._call_located(call, location),
            )
        else:
            self._call(call)

    def _call_located(self, call: Call, location: Location) -> None:
        call.location = location
        self._call(call)

    def _call(self, call: Call) -> None:
        self._advance(
            f"{call.opnum.name} of {call.caller.account} at {call.caller.address}",
            lambda: self._agent.call(call, self._loop.time()),
        )

    def _advance(self, what: str, step: Callable[[], list[Action]]) -> None:
        """Let the agent take a step. A fault of ours concerns the calls of this step alone, which
        the agent has refused."""
        try:
            actions = step()
        except Exception:
            log.exception("%s failed unexpectedly; please report this", what)
            actions = self._agent.drain_actions()
        self._collect(actions)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        """Refuse a call in place of the agent."""
        self._collect([Reply(call, refusal(call.opnum, result), reason)])

    def configure(self, settings: AgentSettings) -> None:
        """Use other settings from now on."""
        self._agent.configure(settings)

    def remove_set(self, key: Guid, reason: str) -> None:
        """Start removing a set with its snapshots and shares."""
        self._collect(self._agent.remove_set(key, reason, self._loop.time()))

    def keep_set(self, key: Guid, done: Callable[[Optional[StoreError]], None]) -> None:
        """Let the snapshots of a set outlive it, but for those that are being deleted. `done` is
        called once that is durable, or with why it is not."""
        self._collect([*self._agent.keep_set(key, self._loop.time()), Written(done)])

    def abandon(self, address: str, reason: str) -> None:
        """End the creation session of a client, and start removing the set that it creates."""
        self._collect(self._agent.abandon(address, reason, self._loop.time()))

    def remove_expired(self) -> None:
        """Start removing the sets that have exceeded their maximum age."""
        self._collect(self._agent.expire(self._loop.time()))

    def snapshot_gone(self, key: Guid, shadow_copy_id: Guid) -> None:
        """React to a snapshot that somebody else removed."""
        self._collect(self._agent.snapshot_gone(key, shadow_copy_id, self._loop.time()))

    def share_gone(self, key: Guid, names: Sequence[str]) -> None:
        """React to shadow copy shares that somebody else removed."""
        self._collect(self._agent.share_gone(key, names, self._loop.time()))

    def mount_gone(self, key: Guid, mount_points: Sequence[str]) -> None:
        """React to copies that are not mounted, as after a reboot."""
        self._collect(self._agent.mount_gone(key, mount_points, self._loop.time()))

    def restore(self) -> None:
        """Load the sets of the store, and start removing those that are unfinished.

        Raises: StoreError.
        """
        self._collect(self._agent.restore(self._store.load(), self._loop.time()))
        self._flush()

    def wait_for_jobs(self, timeout: float) -> int:
        """Run the event loop until no job runs and every outcome is recorded, or for `timeout` s.
        Returns how many still run."""
        limit = self._loop.time() + timeout
        self._flush()  # what the last turn collected may start jobs
        while (self.running_jobs or self._waiting is not None) and self._loop.time() < limit:
            self._loop.run_once(0.1)
            self._flush()  # the outcomes of this turn, for which no other turn may follow
        return self.running_jobs

    def _on_timer(self) -> None:
        self._timer = None
        self._advance("a timer of the agent", lambda: self._agent.tick(self._loop.time()))

    def _arm_timer(self) -> None:
        """Arm the timer for what is due next. One that is armed for an earlier time stays: it
        expires with nothing to do, which costs less than a new timer for each call."""
        due = self._agent.next_deadline()
        if due is None or (self._timer is not None and self._timer.when <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)

    def _collect(self, steps: Sequence[Step]) -> None:
        self._steps += steps
        if not self._flush_is_pending:
            self._flush_is_pending = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Carry out what was collected. Nothing is, while the store writes what came before."""
        self._is_flushing = True
        while self._steps and self._waiting is None:
            steps, self._steps = self._steps, []
            if self._may_be_written_later(steps):
                self._carry_out_all(steps, None)
                self._write(steps, [])
            else:
                self._write(steps, steps)
        self._is_flushing = self._flush_is_pending = False
        self._arm_timer()

    def _may_be_written_later(self, steps: Sequence[Step]) -> bool:
        """A cluster's store may not: its transaction keeps an agent from answering that others
        have replaced."""
        changes = [each for each in steps if isinstance(each, (Save, Forget, Written))]
        return not self._store.confirms_answers and all(
            isinstance(each, Save) and each.durability is Durability.LATER for each in changes
        )

    def _write(self, steps: Sequence[Step], waiting: Sequence[Step]) -> None:
        """Write the changes among `steps`, then carry out `waiting`."""
        changes = [each for each in steps if isinstance(each, (Save, Forget))]
        if not changes:
            self._carry_out_all(waiting, None)
            return
        saved = [each for each in changes if isinstance(each, Save)]
        confirms = self._store.confirms_answers
        durable = any(each.durability is Durability.SYNCED or confirms for each in saved)
        self._waiting = waiting
        done = partial(self._written, waiting)
        try:
            self._store.submit([_stored(each) for each in changes], durable=durable, done=done)
        except Exception as error:
            log.exception("the store failed unexpectedly; please report this")
            self._written(waiting, StoreError(f"{type(error).__name__}: {error}"))

    def _written(self, waiting: Sequence[Step], failure: Optional[StoreError]) -> None:
        if self._waiting is not waiting:  # a store that fails after it has said that it is done
            return
        self.store_failure = "" if failure is None else str(failure)
        if failure is not None:
            report(log, "state-not-written", f"calls are refused: {failure}")
        self._carry_out_all(waiting, failure)
        self._waiting = None
        if not self._is_flushing:
            self._flush()

    def _carry_out_all(self, steps: Sequence[Step], failure: Optional[StoreError]) -> None:
        for step in steps:
            try:
                self._carry_out(step, failure)
            except Exception:  # the steps behind it are other clients'
                log.exception("%s failed; please report this", _what(step))

    def _carry_out(self, action: Step, failure: Optional[StoreError]) -> None:
        if isinstance(action, Reply):
            self._reply(action, failure)
        elif isinstance(action, Run):
            if failure is None:
                self._start(action.job)
            else:  # no disk is touched without a durable intent
                self._finish(action.job, Failed(HResult.E_UNEXPECTED, str(failure)))
        elif isinstance(action, Event):
            key = action.shadow_copy_set_id
            report(log, action.name, action.text, set=format_guid(key) if key else "-")
            self._observe_set(action)
        elif isinstance(action, Forget):
            self._observe_set(action)
        elif isinstance(action, Written):
            action.done(failure)

    def _observe_set(self, action: Union[Event, Forget]) -> None:
        for observer in self._set_observers:
            observer(action)

    def _start(self, job: Job) -> None:
        self.running_jobs += 1
        self._runner.submit(job, partial(self._job_done, job))

    def _job_done(self, job: Job, outcome: Outcome) -> None:
        """Called in a worker's thread."""
        self._loop.call_soon_threadsafe(lambda: self._take_outcome(job, outcome))

    def _take_outcome(self, job: Job, outcome: Outcome) -> None:
        self.running_jobs -= 1
        self._finish(job, outcome)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        self._advance(
            f"the end of {type(job).__name__} of set {format_guid(job.shadow_copy_set_id)}",
            lambda: self._agent.finished(job, outcome, self._loop.time()),
        )

    def _reply(self, reply: Reply, failure: Optional[StoreError]) -> None:
        call, response, reason = reply
        result = response.result
        if failure is not None and not result:
            result, reason = HResult.E_UNEXPECTED, str(failure)
            response = refusal(call.opnum, result)
        call.reason = reason
        seconds = self._loop.time() - call.received_at
        event = "call-refused" if result and result not in _EXPECTED else "call"
        try:  # first: a client that has its reply finds the call logged
            if is_wanted(log, event):
                self._log_call(event, call, response, reason, seconds)
            self.results[call.opnum, result] += 1
        finally:
            call.reply_to.reply(call, response)
        for methods, observer in self._observers:
            if call.opnum in methods:
                observer(Answer(call, response, reason, seconds))

    def _log_call(
        self, event: str, call: Call, response: Response, reason: str, seconds: float
    ) -> None:
        caller = call.caller
        if log.isEnabledFor(logging.DEBUG):
            log.debug("response to %s: %s", caller.address, message_format.format_message(response))
        fields: dict[str, Field] = {
            "opnum": int(call.opnum),
            "method": call.opnum.name,
            "result": name_of(response.result),
            "client": caller.address,
            "account": caller.account,
            "sid": caller.user_sid or "-",
            "ms": seconds * 1000,
            **message_format.ids(call.request),
        }
        if not response.result:
            report(log, event, "", **fields)
            return
        shadow_copy_set = self.view.find(getattr(call.request, "shadow_copy_set_id", b""))
        share = next_steps.share_in(call, shadow_copy_set)
        if share:
            fields["share"] = share
        fields["reason"] = reason
        next_step = next_steps.after(call, response.result, shadow_copy_set)
        report(log, event, f"next: {next_step}", **fields)


def _stored(change: Union[Save, Forget]) -> tuple[Guid, Optional[str]]:
    document = change.document() if isinstance(change, Save) else None
    return change.shadow_copy_set_id, document


def _what(action: Step) -> str:
    """An action in a few words, for the log."""
    if isinstance(action, Reply):
        caller = action.call.caller
        return f"the reply to {action.call.opnum.name} of {caller.account} at {caller.address}"
    return f"{type(action).__name__} of the agent"
