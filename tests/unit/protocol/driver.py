"""The agent with its clock, its ids, its store and its disks in the hands of a test.

`Server` carries actions out as the daemon does, in order, and notes what is against the
rules: a call answered twice, a job for a set that has one already. `Client` speaks for one
address in the document's words. Nothing runs by itself: jobs wait until the test ends them.
"""

from __future__ import annotations

import posixpath
import uuid
from typing import Any, Optional, Union

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum, Request, Response, format_guid
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import (
    Action,
    Answer,
    Commit,
    Event,
    Expose,
    Failed,
    Forget,
    Job,
    Outcome,
    Remove,
    Republish,
    Run,
    Save,
    Succeeded,
)
from fsrvpd.protocol.agent import Agent
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.model import ShadowCopySet, Status, to_document
from fsrvpd.protocol.ports import Caller, Share, SharePlace, Snapshot, SnapshotRequest
from fsrvpd.protocol.settings import AgentSettings

HOST = "nas"
BEGIN = 1000.0  # of the monotonic clock
WALL = 1_700_000_000.0  # Unix time at BEGIN
SPREAD = 0.0125  # s between the snapshots of every commit
PATIENT = 1_800_000  # ms, as Windows' clients wait for Prepare and Expose
OPNUM_OF = {getattr(m, opnum.name): opnum for opnum in Opnum}


def guid(number: int) -> Guid:
    return uuid.UUID(int=number).bytes_le


def unc(share: str) -> str:
    return f"\\\\{HOST}\\{share}\\"


def place_of(share: str, volume: str = "", options: Optional[dict[str, str]] = None) -> SharePlace:
    """Where a share lies: on a volume of its own unless `volume` says on which."""
    volume = volume or f"vol-{share}"
    path = f"/{volume}/{share}"
    definition = Share(share, path, from_registry=False, options=options or {})
    return SharePlace(definition, volume, f"/{volume}", "btrfs", path)


def caller_at(address: str) -> Caller:
    return Caller(address, "DOM\\backup", "S-1-5-21-1-2-3-1000", frozenset(), 0, 0, False)


class Server:
    """An agent, and a world of dictionaries around it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = AgentSettings(owner_machine_name="NAS", **settings)
        self.now = BEGIN
        self.jump = 0.0  # by which somebody set the wall clock, s
        self.store: dict[Guid, str] = {}
        self.disk: dict[str, Snapshot] = {}  # by the ShadowCopyId that marks them
        self.shares: set[str] = set()
        self.running: list[Job] = []
        self.answers: dict[int, Response] = {}
        self.reasons: dict[int, str] = {}
        self.events: list[Event] = []
        self._ids = 0
        self._tickets = 0
        self.agent = self._new_agent()

    def _new_agent(self) -> Agent:
        return Agent(self.settings, self._new_guid, self.wall_clock, frozenset({HOST}))

    def _new_guid(self) -> Guid:
        self._ids += 1
        return guid(0xF00D_0000 + self._ids)

    def wall_clock(self) -> float:
        return WALL + self.now - BEGIN + self.jump

    # What a daemon does.

    def call(
        self,
        request: Request,
        address: str = "10.0.0.1",
        place: Union[SharePlace, PeerError, None] = None,
    ) -> int:
        """Hand a request in; its answer will stand under the ticket that is returned."""
        self._tickets += 1
        call = Call(self._tickets, caller_at(address), OPNUM_OF[type(request)], request, place)
        self.carry_out(self.agent.call(call, self.now))
        return self._tickets

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Answer):
                assert action.ticket not in self.answers, "a call was answered twice"
                self.answers[action.ticket] = action.response
                self.reasons[action.ticket] = action.reason
            elif isinstance(action, Save):
                self.store[action.shadow_copy_set_id] = action.document
            elif isinstance(action, Forget):
                self.store.pop(action.shadow_copy_set_id, None)
            elif isinstance(action, Run):
                key = action.job.shadow_copy_set_id
                assert key not in [job.shadow_copy_set_id for job in self.running]
                self.running.append(action.job)
            else:
                self.events.append(action)

    def restart(self, **settings: Any) -> None:
        """Kill the daemon, jobs and all, and start another on the same store and disks."""
        self.settings = self.settings._replace(**settings)
        self.running.clear()
        self.agent = self._new_agent()
        self.carry_out(self.agent.restore(dict(self.store), self.now))

    def reboot(self, **settings: Any) -> None:
        """The server itself starts anew: its monotonic clock too, its wall clock not."""
        self.jump += self.now - BEGIN
        self.now = BEGIN
        self.restart(boot_id=f"{self.settings.boot_id}+", **settings)

    # What a test does.

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the steps in which the agent wants to be woken."""
        end = self.now + seconds
        previous = None
        due = self.agent.next_deadline()
        while due is not None and due <= end:
            assert due != previous, "the agent asked to be woken and had nothing to do"
            self.now = max(self.now, due)
            self.carry_out(self.agent.tick(self.now))
            previous, due = due, self.agent.next_deadline()
        self.now = end

    @property
    def job(self) -> Job:
        """The one job that runs."""
        (job,) = self.running
        return job

    def finish(self, job: Optional[Job] = None) -> None:
        """Let a job, the only one unless said otherwise, succeed."""
        job = job or self.job
        self.end(job, self._done(job))

    def fail(self, result: int, job: Optional[Job] = None) -> None:
        """Let a job fail; nothing of it was done."""
        self.end(job or self.job, Failed(result, "the test wants it so"))

    def end(self, job: Job, outcome: Outcome) -> None:
        self.running.remove(job)
        self.carry_out(self.agent.finished(job, outcome, self.now))

    def finish_all(self) -> None:
        while self.running:
            self.finish(self.running[0])

    def _done(self, job: Job) -> Succeeded:
        if isinstance(job, Commit):
            return Succeeded(tuple(self.take(request) for request in job.requests), SPREAD)
        if isinstance(job, (Expose, Republish)):
            self.shares |= {share.name for share in job.shares}
        if isinstance(job, Remove):
            self._remove(job)
        return Succeeded()

    def take(self, request: SnapshotRequest) -> Snapshot:
        """Take a snapshot, as a provider does during a Commit."""
        root = f"{request.place.volume_root}/.snap/{request.shadow_copy_id}"
        inside = posixpath.relpath(request.place.directory, request.place.volume_root)
        path = posixpath.normpath(f"{root}/{inside}")
        snapshot = Snapshot("btrfs", request.place.volume_name, root, path, self.wall_clock())
        self.disk[request.shadow_copy_id] = snapshot
        return snapshot

    def _remove(self, job: Remove) -> None:
        self.shares -= set(job.names)
        lost = {request.shadow_copy_id for request in job.unknown}
        for key, snapshot in list(self.disk.items()):
            if key in lost or snapshot in job.snapshots:
                del self.disk[key]

    # What a test looks at.

    def set(self, shadow_copy_set_id: Guid) -> Optional[ShadowCopySet]:
        return self.agent.table.get(shadow_copy_set_id)

    def status(self, shadow_copy_set_id: Guid) -> Optional[Status]:
        shadow_copy_set = self.set(shadow_copy_set_id)
        return shadow_copy_set.status if shadow_copy_set else None

    def timer(self, address: str = "10.0.0.1") -> Optional[float]:
        """Seconds left of the Message Sequence Timer; None while none runs."""
        turn = self.agent._turns.of(address)
        return None if turn is None or turn.deadline is None else turn.deadline - self.now

    def context_set(self, address: str = "10.0.0.1") -> bool:
        return self.agent._turns.of(address) is not None

    def state(self) -> dict[str, Any]:
        """Everything, to be compared before and after: sets, turns, timers, jobs, disk."""
        agent = self.agent
        return {
            "table": {s.shadow_copy_set_id: to_document(s) for s in agent.table},
            "published": dict(agent.table._published),
            "clients": dict(agent.table._clients),
            "leaving": sorted(agent.leaving),
            "turns": {key: vars(turn).copy() for key, turn in agent._turns._turns.items()},
            "work": {key: (work.job, list(work.waits)) for key, work in agent._work.items()},
            "queues": {key: list(work.queue) for key, work in agent._work.items()},
            "retries": dict(agent._retries),
            "running": list(self.running),
            "store": dict(self.store),
            "disk": dict(self.disk),
            "shares": set(self.shares),
        }

    def is_clean(self) -> bool:
        """Whether nothing at all is left of any set."""
        left = (self.agent.leaving, self.store, self.disk, self.shares, self.running)
        return not any(left) and not len(self.agent.table) and not self.agent._work


class Client:
    """Calls from one address. Each method returns the response, jobs finished for it."""

    def __init__(self, server: Server, address: str = "10.0.0.1") -> None:
        self.server = server
        self.address = address
        self.set_id: Guid = m.NULL_GUID
        self.copy_ids: dict[str, Guid] = {}

    def send(self, request: Request, place: Union[SharePlace, PeerError, None] = None) -> int:
        """Call and leave the jobs that it starts running."""
        return self.server.call(request, self.address, place)

    def ask(self, request: Request, place: Union[SharePlace, PeerError, None] = None) -> Any:
        """Call, finish what it starts, and return the response."""
        ticket = self.send(request, place)
        while ticket not in self.server.answers and self.server.running:
            self.server.finish(self.server.running[0])
        return self.server.answers[ticket]

    def set_context(self, value: int = context.CTX_BACKUP) -> int:
        return int(self.ask(m.SetContext(value)).result)

    def start(self) -> Any:
        response = self.ask(m.StartShadowCopySet(guid(1)))
        if response.result == HResult.ZERO:
            self.set_id = response.guid
        return response

    def add(self, share: str = "data", volume: str = "", **options: str) -> Any:
        request = m.AddToShadowCopySet(guid(2), self.set_id, unc(share))
        response = self.ask(request, place_of(share, volume, options))
        if response.result == HResult.ZERO:
            self.copy_ids[share] = response.guid
        return response

    def prepare(self, milliseconds: int = PATIENT) -> int:
        return int(self.ask(m.PrepareShadowCopySet(self.set_id, milliseconds)).result)

    def commit(self, milliseconds: int = 60_000) -> int:
        return int(self.ask(m.CommitShadowCopySet(self.set_id, milliseconds)).result)

    def expose(self, milliseconds: int = PATIENT) -> int:
        return int(self.ask(m.ExposeShadowCopySet(self.set_id, milliseconds)).result)

    def mapping(self, share: str = "data", level: int = 1) -> Any:
        copy_id = self.copy_ids.get(share, guid(0xBAD))
        return self.ask(m.GetShareMapping(copy_id, self.set_id, unc(share), level))

    def recovery_complete(self) -> int:
        return int(self.ask(m.RecoveryCompleteShadowCopySet(self.set_id)).result)

    def abort(self) -> int:
        return int(self.ask(m.AbortShadowCopySet(self.set_id)).result)

    def delete(self, share: str = "data") -> int:
        copy_id = self.copy_ids.get(share, guid(0xBAD))
        return int(self.ask(m.DeleteShareMapping(self.set_id, copy_id, unc(share))).result)

    def reach(
        self, status: Status, value: int = context.CTX_BACKUP, shares: tuple[str, ...] = ("data",)
    ) -> Client:
        """Take a new set to a Status in the order of a Windows client."""
        assert self.set_context(value) == HResult.ZERO
        assert self.start().result == HResult.ZERO
        if status is Status.STARTED:
            return self
        for share in shares:
            assert self.add(share).result == HResult.ZERO
        if status is Status.ADDED:
            return self
        assert self.prepare() == HResult.ZERO
        if status is Status.CREATION_IN_PROGRESS:
            self.send(m.CommitShadowCopySet(self.set_id, 0))
            self.server.pass_time(0)  # the client is told of the time-out; the job goes on
            return self
        assert self.commit() == HResult.ZERO
        if status is Status.COMMITTED:
            return self
        assert self.expose() == HResult.ZERO
        if status is Status.EXPOSED:
            return self
        assert self.recovery_complete() == HResult.ZERO
        return self

    @property
    def shadow_share(self) -> str:
        """The shadow copy share's name of the share `data`."""
        return f"data@{format_guid(self.copy_ids['data'])}"


def client_at(status: Status, address: str = "10.0.0.1", **settings: Any) -> Client:
    """A client on a new server whose set is in a Status."""
    return Client(Server(**settings), address).reach(status)
