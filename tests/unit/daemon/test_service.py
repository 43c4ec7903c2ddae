"""What is answered is durable first; what could not be made durable is not answered as done."""

from __future__ import annotations

import uuid
from typing import Any, Mapping, Optional, Sequence

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum
from fsrvpd.daemon.service import Pending, Service
from fsrvpd.errors import StoreError
from fsrvpd.protocol.actions import Commit, Job, Succeeded
from fsrvpd.protocol.agent import Agent
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.ports import Caller, Share, SharePlace, Snapshot
from fsrvpd.protocol.settings import AgentSettings

CALLER = Caller("192.0.2.7", "NAS\\backup", "S-1-5-21-1-2-3-1000", frozenset(), 0, 0, False)
SHARE = Share("data", "/vol/data", False)
PLACE = SharePlace(SHARE, "btrfs:1", "/vol", "btrfs", "/vol/data")
SNAPSHOT = Snapshot("btrfs", "btrfs:1", "/vol/.s/1", "/vol/.s/1", 1.8e9)


class World:
    """Store, runner and client at once; `history` is the order in which they were reached."""

    caller = CALLER

    def __init__(self) -> None:
        self.history: list[str] = []
        self.answers: list[Any] = []
        self.jobs: list[Job] = []
        self.broken = False
        agent = Agent(AgentSettings("NAS"), lambda: uuid.uuid4().bytes_le, lambda: 1.8e9, {"nas"})
        self.service = Service(agent, self, self.submit)

    def apply(self, changes: Sequence[tuple[Guid, Optional[str]]], *, durable: bool = True) -> None:
        if self.broken:
            raise StoreError("state.sqlite3 cannot be written: disk full")
        self.history.append(f"{'write' if durable else 'note'} {len(changes)}")

    def load(self) -> Mapping[Guid, str]:
        return {}

    def close(self) -> None:
        return None

    def submit(self, job: Job) -> None:
        self.history.append(f"run {type(job).__name__}")
        self.jobs.append(job)

    def answer(self, reference: Any, response: m.Response) -> None:
        self.history.append(f"answer {reference}")
        self.answers.append(response)

    def call(self, request: m.Request, *, flush: bool = True) -> Any:
        opnum = Opnum[type(request).__name__]
        place = PLACE if isinstance(request, m.AddToShadowCopySet) else None
        pending = Pending(self, opnum.name, opnum, 0.0)
        self.service.call(Call(pending, CALLER, opnum, request, place))
        if flush:
            self.service.flush()
        return self.answers[-1] if self.answers else None

    def committing(self) -> Guid:
        """A set whose commit has just been asked for."""
        self.call(m.SetContext(0))
        key: Guid = self.call(m.StartShadowCopySet(b"c" * 16)).guid
        self.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
        self.history.clear()
        self.call(m.CommitShadowCopySet(key, 60_000))
        return key


def test_the_intent_is_written_before_the_job_runs() -> None:
    world = World()
    world.committing()
    assert world.history == ["write 1", "run Commit"]


def test_the_outcome_is_written_before_the_answer() -> None:
    world = World()
    world.committing()
    world.history.clear()
    [job] = world.jobs
    assert isinstance(job, Commit)
    world.service.finished(job, Succeeded())
    world.service.flush()
    assert world.history == ["write 1", "answer CommitShadowCopySet"]


def test_what_touches_nothing_yet_waits_for_no_disk() -> None:
    world = World()
    world.call(m.SetContext(0))
    world.history.clear()
    world.call(m.StartShadowCopySet(b"c" * 16))
    assert world.history == ["note 1", "answer StartShadowCopySet"]


def test_the_changes_of_one_turn_share_one_transaction() -> None:
    world = World()
    world.call(m.SetContext(0))
    world.history.clear()
    key = world.call(m.StartShadowCopySet(b"c" * 16)).guid
    world.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"), flush=False)
    world.call(m.AbortShadowCopySet(key))
    assert world.history[2] == "note 2"


def test_a_removal_waits_for_its_intent_and_not_for_its_end() -> None:
    """Taken back by a power cut, the end is reached again from the intent."""
    world = World()
    key = world.committing()
    world.service.finished(world.jobs[-1], Succeeded((SNAPSHOT,)))
    world.service.flush()
    world.history.clear()
    world.call(m.AbortShadowCopySet(key))
    assert world.history == ["write 1", "run Remove"]
    world.service.finished(world.jobs[-1], Succeeded())
    world.service.flush()
    assert world.history[2:] == ["note 1", "answer AbortShadowCopySet"]


def test_what_cannot_be_written_is_refused() -> None:
    world = World()
    world.call(m.SetContext(0))
    world.broken = True
    response = world.call(m.StartShadowCopySet(b"c" * 16))
    assert response == m.GuidResponse(HResult.E_UNEXPECTED)


def test_no_job_runs_without_a_durable_intent() -> None:
    world = World()
    world.call(m.SetContext(0))
    key = world.call(m.StartShadowCopySet(b"c" * 16)).guid
    world.call(m.AddToShadowCopySet(b"c" * 16, key, r"\\nas\data"))
    world.broken = True
    response = world.call(m.CommitShadowCopySet(key, 60_000))
    assert response.result == HResult.E_UNEXPECTED
    assert not [job for job in world.jobs if isinstance(job, Commit)]


def test_calls_are_counted_by_method_and_failures_by_name() -> None:
    world = World()
    world.call(m.GetSupportedVersion())
    world.call(m.StartShadowCopySet(b"c" * 16))
    assert world.service.calls == {"GetSupportedVersion": 1, "StartShadowCopySet": 1}
    assert world.service.failures == {"FSRVP_E_BAD_STATE (0x80042301)": 1}
