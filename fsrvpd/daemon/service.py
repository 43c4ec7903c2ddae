"""The agent at work: its actions carried out, its calls counted and logged.

Actions are collected during a turn of the loop and carried out at its end: one durable
transaction for all that changed in it, then the answers, so that many clients share one
sync of the disk and none is told what could still be lost.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Any, Callable, NamedTuple, Optional, Protocol

from fsrvpd.core.messages import Guid, Opnum, Request, Response, format_guid, refusal
from fsrvpd.daemon import trace
from fsrvpd.daemon.events import Field, is_wanted, report
from fsrvpd.errors import StoreError
from fsrvpd.protocol.actions import Action, Answer, Event, Failed, Forget, Job, Outcome, Run, Save
from fsrvpd.protocol.agent import Agent
from fsrvpd.protocol.hresult import HResult, describe, name_of
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.ports import Caller, StateStore
from fsrvpd.protocol.settings import AgentSettings

log = logging.getLogger("fsrvpd.agent")


class Peer(Protocol):
    """Where an answer goes; gone peers ignore it."""

    caller: Caller

    def answer(self, reference: Any, response: Response) -> None: ...


class Pending(NamedTuple):
    """A call under way: whose it is, what its peer knows it by, and since when. `request`
    is None while it has not been decoded."""

    peer: Peer
    reference: Any
    opnum: Opnum
    began: float
    request: Optional[Request] = None


class Service:
    """Carries out what the agent asks for. One thread only."""

    def __init__(self, agent: Agent, store: StateStore, submit: Callable[[Job], None]) -> None:
        self.agent = agent
        self.results: Counter[tuple[Opnum, int]] = Counter()  # answers, by method and result
        self.observe: Optional[Callable[[Opnum, float], None]] = None  # s until the answer
        self._store = store
        self._submit = submit
        self._actions: list[Action] = []
        self._due: Optional[float] = None  # when the agent wants to be ticked

    @property
    def calls(self) -> Counter[str]:
        """How many calls were answered, by method."""
        found: Counter[str] = Counter()
        for (opnum, _), number in self.results.items():
            found[opnum.name] += number
        return found

    @property
    def failures(self) -> Counter[str]:
        """How many of them with an error, by its name."""
        found: Counter[str] = Counter()
        for (_, result), number in self.results.items():
            if result:
                found[describe(result)] += number
        return found

    def call(self, call: Call) -> None:
        self._actions += self.agent.call(call, time.monotonic())

    def refuse(self, pending: Pending, result: int, reason: str) -> None:
        """Answer a call that does not reach the agent."""
        self._actions.append(Answer(pending, refusal(pending.opnum, result), reason))

    def configure(self, settings: AgentSettings) -> None:
        """Let other settings be in force from now on."""
        self.agent.configure(settings)

    def finished(self, job: Job, outcome: Outcome) -> None:
        self._actions += self.agent.finished(job, outcome, time.monotonic())

    def keep_up(self, ask: Callable[[float], list[Action]]) -> None:
        """Have the agent do something that no client asked for, given the time."""
        self._actions += ask(time.monotonic())

    def restore(self) -> None:
        """Take up the sets of the store. Raises: StoreError."""
        self._actions += self.agent.restore(self._store.load(), time.monotonic())

    def deadline(self) -> Optional[float]:
        """As the last `flush` left it."""
        return self._due

    def flush(self) -> None:
        """Carry out what has been collected, and what time demands."""
        if self._due is not None and self._due <= time.monotonic():
            self._actions += self.agent.tick(time.monotonic())
        while self._actions:
            actions, self._actions = self._actions, []
            failure = self._write(actions)
            for action in actions:
                if type(action) is Answer:
                    self._answer(action, failure)
                else:
                    self._carry_out(action, failure)
        self._due = self.agent.next_deadline()

    def _write(self, actions: list[Action]) -> Optional[StoreError]:
        changes: list[tuple[Guid, Optional[str]]] = []
        durable = False
        for action in actions:
            if type(action) is Answer:
                continue  # which most are, and quickly told
            if isinstance(action, Save):
                changes.append((action.shadow_copy_set_id, action.document))
                durable = durable or action.durable
            elif isinstance(action, Forget):
                changes.append((action.shadow_copy_set_id, None))
        if not changes:
            return None
        try:
            self._store.apply(changes, durable=durable)
        except StoreError as error:
            report(log, "state-not-written", f"calls are refused: {error}")
            return error
        return None

    def _carry_out(self, action: Action, failure: Optional[StoreError]) -> None:
        if isinstance(action, Run):
            if failure is None:
                self._submit(action.job)
            else:  # no disk is touched without a durable intent
                self.finished(action.job, Failed(HResult.E_UNEXPECTED, str(failure)))
        elif isinstance(action, Event):
            key = action.shadow_copy_set_id
            report(log, action.name, action.text, set=format_guid(key) if key else "-")

    def _answer(self, answer: Answer, failure: Optional[StoreError]) -> None:
        pending, response, reason = answer
        peer, reference, opnum, began, _ = pending
        result = response.result
        if failure is not None and not result:
            result, reason = HResult.E_UNEXPECTED, str(failure)
            response = refusal(opnum, result)
        seconds = time.monotonic() - began
        event = "call-refused" if result else "call"
        if is_wanted(log, event):  # before the answer: who has it finds the call in the log
            self._log_call(event, pending, response, reason, seconds)
        peer.answer(reference, response)
        self.results[opnum, result] += 1
        if self.observe is not None:
            self.observe(opnum, seconds)

    def _log_call(
        self, event: str, pending: Pending, response: Response, reason: str, seconds: float
    ) -> None:
        caller = pending.peer.caller
        if log.isEnabledFor(logging.DEBUG):
            log.debug("response to %s: %s", caller.address, trace.decoded(response))
        fields: dict[str, Field] = {
            "opnum": int(pending.opnum),
            "method": pending.opnum.name,
            "result": name_of(response.result),
            "client": caller.address,
            "account": caller.account,
            "sid": caller.user_sid or "-",
            "ms": seconds * 1000,
            **trace.ids(pending.request),
        }
        if reason:
            fields["reason"] = reason
        report(log, event, "", **fields)
