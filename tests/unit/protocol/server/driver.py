"""The agent with a clock, ids, a store and disks that a test controls.

`Server` carries actions out as the daemon does, in order, and fails where a rule is broken: a
call answered twice, a second job for a set. `Client` calls from one address, in the terms of
MS-FSRVP. Nothing runs by itself: jobs wait until the test ends them.
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
    Call,
    Commit,
    Conclude,
    Durability,
    Event,
    Expose,
    Failed,
    Forget,
    Job,
    Outcome,
    RecreateShares,
    Remove,
    Reply,
    Run,
    Save,
    Succeeded,
)
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import ShadowCopySet, Status
from fsrvpd.protocol.ports import Caller, Share, ShareLocation, Snapshot, SnapshotRequest
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.protocol.server.document import to_document
from fsrvpd.protocol.server.state_machine import AgentState
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.protocol.table import ShadowCopySetTable

HOST = "nas"
BEGIN = 1000.0  # of the monotonic clock
WALL = 1_700_000_000.0  # Unix time at BEGIN
SKEW = 0.0125  # s between the snapshots of every commit
WINDOWS_TIMEOUT = 1_800_000  # ms, as Windows' clients wait for Prepare and Expose
OPNUM_OF = {getattr(m, opnum.name): opnum for opnum in Opnum}


def guid(number: int) -> Guid:
    return uuid.UUID(int=number).bytes_le


def unc(share: str) -> str:
    return f"\\\\{HOST}\\{share}\\"


def location_of(
    share: str, volume: str = "", options: Optional[dict[str, str]] = None
) -> ShareLocation:
    """Where a share lies: on a volume of its own unless `volume` says on which."""
    volume = volume or f"vol-{share}"
    path = f"/{volume}/{share}"
    definition = Share(share, path, from_registry=False, options=options or {})
    return ShareLocation(definition, volume, f"/{volume}", "btrfs", path)


def caller_at(address: str) -> Caller:
    return Caller(address, "DOM\\backup", "S-1-5-21-1-2-3-1000", frozenset(), 0, 0, False)


class Server:
    """An agent, and a world of dictionaries around it."""

    def __init__(self, **settings: Any) -> None:
        self.settings = AgentSettings(owner_machine_name="NAS", **settings)
        self.now = BEGIN
        self.jump = 0.0  # s by which the wall clock was set
        self.store: dict[Guid, str] = {}
        self.synced: dict[Guid, str] = {}  # what of it a power cut leaves
        self.disk: dict[str, Snapshot] = {}  # by the ShadowCopyId that marks them
        self.records_itself = True  # as of a provider
        self.shares: set[str] = set()
        self.running: list[Job] = []
        self.answers: dict[Call, Response] = {}
        self.reasons: dict[Call, str] = {}
        self.events: list[Event] = []
        self._ids = 0
        self.agent = self._new_agent()

    @property
    def agent_state(self) -> AgentState:
        """The state that no other module may read."""
        return self.agent._state

    @property
    def table(self) -> ShadowCopySetTable:
        return self.agent_state.table

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
        location: Union[ShareLocation, PeerError, None] = None,
    ) -> Call:
        """Hand a request in; its answer will stand under the call that is returned."""
        opnum = OPNUM_OF[type(request)]
        call = Call(caller_at(address), opnum, request, self, self.now, location)
        self.carry_out(self.agent.call(call, self.now))
        return call

    def reply(self, call: Call, response: Response) -> None:
        assert call not in self.answers, "a call was answered twice"
        self.answers[call] = response

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Reply):
                action.call.reply_to.reply(action.call, action.response)
                self.reasons[action.call] = action.reason
            elif isinstance(action, Save):
                self.store[action.shadow_copy_set_id] = action.document()
                if action.durability is Durability.SYNCED:
                    self.synced = dict(self.store)
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

    def cut_power(self) -> None:
        """Reboot with what was synced of the store. Disks and registry sync by themselves."""
        self.store = dict(self.synced)
        self.reboot()

    def reboot(self, **settings: Any) -> None:
        """Restart the server itself: its monotonic clock starts again, its wall clock does not."""
        self.jump += self.now - BEGIN
        self.now = BEGIN
        self.restart(boot_id=f"{self.settings.boot_id}+", **settings)

    # What a test does.

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and wake the agent whenever it has asked for that."""
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
        """Return the only job that runs."""
        (job,) = self.running
        return job

    def finish(self, job: Optional[Job] = None) -> None:
        """Let a job succeed, by default the only one."""
        job = job or self.job
        self.end(job, self._done(job))

    def fail(self, result: int, job: Optional[Job] = None) -> None:
        """Let a job fail without any effect."""
        self.end(job or self.job, Failed(result, "the test wants it so"))

    def end(self, job: Job, outcome: Outcome) -> None:
        self.running.remove(job)
        self.carry_out(self.agent.finished(job, outcome, self.now))

    def finish_all(self) -> None:
        while self.running:
            self.finish(self.running[0])

    def _done(self, job: Job) -> Succeeded:
        if isinstance(job, Commit):
            return Succeeded(tuple(map(self.take, job.requests)), SKEW, self.records_itself)
        if isinstance(job, Conclude):
            ids = [request.shadow_copy_id for request in job.requests]
            found = tuple(self.disk[each] for each in ids if each in self.disk)
            return Succeeded(found, shares=frozenset(self.shares & set(job.names)))
        if isinstance(job, (Expose, RecreateShares)):
            self.shares |= {share.name for share in job.shares}
        if isinstance(job, Remove):
            self._remove(job)
        return Succeeded()

    def take(self, request: SnapshotRequest) -> Snapshot:
        """Take a snapshot, as a provider does during a Commit."""
        root = f"{request.location.volume_root}/.snap/{request.shadow_copy_id}"
        inside = posixpath.relpath(request.location.directory, request.location.volume_root)
        path = posixpath.normpath(f"{root}/{inside}")
        snapshot = Snapshot("btrfs", request.location.volume_name, root, path, self.wall_clock())
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
        return self.table.get(shadow_copy_set_id)

    def status(self, shadow_copy_set_id: Guid) -> Optional[Status]:
        shadow_copy_set = self.set(shadow_copy_set_id)
        return shadow_copy_set.status if shadow_copy_set else None

    def timer(self, address: str = "10.0.0.1") -> Optional[float]:
        """Seconds left of the Message Sequence Timer; None while none runs."""
        session = self.agent_state.sessions.get(address)
        return None if session is None or session.deadline is None else session.deadline - self.now

    def context_set(self, address: str = "10.0.0.1") -> bool:
        return self.agent_state.sessions.get(address) is not None

    def state(self) -> dict[str, Any]:
        """Everything, to be compared before and after: sets, sessions, timers, jobs, disk."""
        state = self.agent_state
        return {
            "table": {s.shadow_copy_set_id: to_document(s) for s in state.table},
            "published": dict(state.table._published),
            "clients": dict(state.table._clients),
            "removing": sorted(state.removing),
            "sessions": {key: vars(s).copy() for key, s in state.sessions._sessions.items()},
            "jobs": {key: (job.job, list(job.waiters)) for key, job in state.jobs.items()},
            "queues": {key: list(job.queue) for key, job in state.jobs.items()},
            "retries": dict(state.retries),
            "running": list(self.running),
            "store": dict(self.store),
            "disk": dict(self.disk),
            "shares": set(self.shares),
        }

    def is_clean(self) -> bool:
        """Return whether nothing is left of any set."""
        state = self.agent_state
        left = (state.removing, state.jobs, self.store, self.disk, self.shares, self.running)
        return not any(left) and not len(state.table)


class Client:
    """Calls from one address. Each method returns the response, jobs finished for it."""

    def __init__(self, server: Server, address: str = "10.0.0.1") -> None:
        self.server = server
        self.address = address
        self.set_id: Guid = m.NULL_GUID
        self.copy_ids: dict[str, Guid] = {}

    def send(
        self, request: Request, location: Union[ShareLocation, PeerError, None] = None
    ) -> Call:
        """Call and leave the jobs that it starts running."""
        return self.server.call(request, self.address, location)

    def ask(self, request: Request, location: Union[ShareLocation, PeerError, None] = None) -> Any:
        """Call, finish what it starts, and return the response."""
        call = self.send(request, location)
        while call not in self.server.answers and self.server.running:
            self.server.finish(self.server.running[0])
        return self.server.answers[call]

    def document(self) -> str:
        """The client's set as the store would keep it."""
        shadow_copy_set = self.server.set(self.set_id)
        assert shadow_copy_set is not None
        return to_document(shadow_copy_set)

    def set_context(self, value: int = context.CTX_BACKUP) -> int:
        return int(self.ask(m.SetContext(value)).result)

    def start(self) -> Any:
        response = self.ask(m.StartShadowCopySet(guid(1)))
        if response.result == HResult.ZERO:
            self.set_id = response.guid
        return response

    def add(self, share: str = "data", volume: str = "", **options: str) -> Any:
        request = m.AddToShadowCopySet(guid(2), self.set_id, unc(share))
        response = self.ask(request, location_of(share, volume, options))
        if response.result == HResult.ZERO:
            self.copy_ids[share] = response.guid
        return response

    def prepare(self, milliseconds: int = WINDOWS_TIMEOUT) -> int:
        return int(self.ask(m.PrepareShadowCopySet(self.set_id, milliseconds)).result)

    def commit(self, milliseconds: int = 60_000) -> int:
        return int(self.ask(m.CommitShadowCopySet(self.set_id, milliseconds)).result)

    def expose(self, milliseconds: int = WINDOWS_TIMEOUT) -> int:
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
            self.server.pass_time(0)  # the call times out; the job continues
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
