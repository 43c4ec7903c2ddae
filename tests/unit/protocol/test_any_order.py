"""Calls, job ends, time-outs and restarts in any order, against a world that is watched.

Hypothesis plays two clients, a world whose jobs hang, fail half-way or succeed, and a power
cut. After every step the books must balance: nothing is on disk that no set and no job
answers for, no turn outlives its set, every counter equals a recount.
"""

from __future__ import annotations

from typing import Optional

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Commit, Expose, Failed, Job, Remove
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import ShadowCopySet, Status, to_document
from fsrvpd.protocol.ports import Share, SharePlace
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.driver import Server, guid, unc

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2"])
SHARES = st.sampled_from(["a", "b", "c"])  # a and b lie on one volume
CONTEXTS = st.sampled_from([0, context.ATTR_AUTO_RECOVERY, context.CTX_NAS_ROLLBACK])
TIME_OUTS = st.sampled_from([0, 5_000, 60_000, 1_800_000])
ERRORS = st.sampled_from([HResult.VSS_E_PROVIDER_VETO, HResult.FSRVP_E_WAIT_FAILED])
WITH_SET = st.sampled_from(
    [
        m.PrepareShadowCopySet,
        m.CommitShadowCopySet,
        m.ExposeShadowCopySet,
        m.RecoveryCompleteShadowCopySet,
        m.AbortShadowCopySet,
    ]
)
WITH_TIME_OUT = (m.PrepareShadowCopySet, m.CommitShadowCopySet, m.ExposeShadowCopySet)
PUBLISHED = (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)


def place(share: str) -> SharePlace:
    volume = "other" if share == "c" else "pool"
    path = f"/{volume}/{share}"
    return SharePlace(Share(share, path, False), volume, f"/{volume}", "btrfs", path, True)


class AnyOrder(RuleBasedStateMachine):
    server: Server

    @initialize(
        dialect=st.sampled_from([CURRENT, WS2012]),
        parallel=st.booleans(),
        shared=st.booleans(),
        max_sets=st.sampled_from([3, 100]),
    )
    def begin(self, dialect: object, parallel: bool, shared: bool, max_sets: int) -> None:
        self.server = Server(
            dialect=dialect, parallel_sets=parallel, shared_volumes=shared, max_sets=max_sets
        )
        self.asked: set[int] = set()
        self.cut_off: set[int] = set()  # calls whose daemon was killed
        self.set_ids: list[bytes] = []

    # Clients.

    def ask(self, request: m.Request, address: str, where: Optional[SharePlace] = None) -> int:
        ticket = self.server.call(request, address, where)
        self.asked.add(ticket)
        return ticket

    @rule(address=ADDRESSES, value=CONTEXTS)
    def set_context(self, address: str, value: int) -> None:
        self.ask(m.SetContext(value), address)

    @rule(address=ADDRESSES)
    def start(self, address: str) -> None:
        ticket = self.ask(m.StartShadowCopySet(guid(1)), address)
        response = self.server.answers[ticket]
        assert isinstance(response, m.GuidResponse)
        if not response.result:
            self.set_ids.append(response.guid)

    @rule(address=ADDRESSES, value=CONTEXTS, share=SHARES, until=st.integers(0, 3))
    def begin_a_set(self, address: str, value: int, share: str, until: int) -> None:
        """The usual order, so that runs get somewhere."""
        self.set_context(address, value)
        self.start(address)
        if not self.set_ids:
            return
        key = self.set_ids[-1]
        self.ask(m.AddToShadowCopySet(guid(2), key, unc(share)), address, place(share))
        for method in (m.PrepareShadowCopySet, m.CommitShadowCopySet, m.ExposeShadowCopySet)[
            :until
        ]:
            self.ask(method(key, 60_000), address)
            self.server.finish_all()

    @precondition(lambda self: self.set_ids)
    @rule(data=st.data(), address=ADDRESSES, share=SHARES)
    def add(self, data: st.DataObject, address: str, share: str) -> None:
        key = data.draw(st.sampled_from(self.set_ids))
        self.ask(m.AddToShadowCopySet(guid(2), key, unc(share)), address, place(share))

    @precondition(lambda self: self.set_ids)
    @rule(data=st.data(), address=ADDRESSES, method=WITH_SET, time_out=TIME_OUTS)
    def go_on(self, data: st.DataObject, address: str, method: type, time_out: int) -> None:
        key = data.draw(st.sampled_from(self.set_ids[-3:]))
        self.ask(method(key, time_out) if method in WITH_TIME_OUT else method(key), address)

    @precondition(lambda self: any(s.shadow_copy_list for s in self.server.agent.table))
    @rule(data=st.data(), address=ADDRESSES, share=SHARES, delete=st.booleans())
    def look_or_delete(self, data: st.DataObject, address: str, share: str, delete: bool) -> None:
        copies = [(s, copy) for s in self.server.agent.table for copy in s.shadow_copy_list]
        of, copy = data.draw(st.sampled_from(copies))
        key, copy_id = of.shadow_copy_set_id, copy.shadow_copy_id
        if delete:
            self.ask(m.DeleteShareMapping(key, copy_id, unc(share)), address)
        else:
            self.ask(m.GetShareMapping(copy_id, key, unc(share), 1), address)

    # The world.

    @precondition(lambda self: self.server.running)
    @rule(data=st.data())
    def a_job_succeeds(self, data: st.DataObject) -> None:
        self.server.finish(data.draw(st.sampled_from(self.server.running)))

    @precondition(lambda self: self.server.running)
    @rule(data=st.data(), error=ERRORS, done=st.integers(0, 3))
    def a_job_fails(self, data: st.DataObject, error: HResult, done: int) -> None:
        """A part of a commit may be done, and of a removal; shares are all or none."""
        job = data.draw(st.sampled_from(self.server.running))
        self.do_part(job, done)
        self.server.end(job, Failed(error, "the world is so"))

    def do_part(self, job: Job, done: int) -> None:
        if isinstance(job, Commit):
            for request in job.requests[:done]:
                self.server.take(request)
        if isinstance(job, Remove) and done:
            self.server.shares -= set(job.names)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, 60.0, 100.0, 180.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.server.pass_time(seconds)

    @rule(data=st.data(), done=st.integers(0, 3))
    def the_power_is_cut(self, data: st.DataObject, done: int) -> None:
        for job in self.server.running:
            self.do_part(job, done)
            if isinstance(job, Expose) and done:
                self.server.shares |= {share.name for share in job.shares}
        self.cut_off |= self.asked - set(self.server.answers)
        self.server.restart()

    @precondition(lambda self: self.server.agent.table)
    @rule(data=st.data())
    def an_admin_removes_a_set(self, data: st.DataObject) -> None:
        sets = [s.shadow_copy_set_id for s in self.server.agent.table]
        key = data.draw(st.sampled_from(sets))
        self.server.carry_out(self.server.agent.doom(key, "an admin wants it", self.server.now))

    # The books.

    def known(self) -> list[ShadowCopySet]:
        agent = self.server.agent
        return [*agent.table, *agent.leaving.values()]

    @invariant()
    def every_snapshot_and_share_has_somebody_who_answers_for_it(self) -> None:
        answered_for: set[str] = set()
        names: set[str] = set()
        for each in self.known():
            for copy in each.shadow_copy_list:
                if copy.snapshot is not None or each.uncertain:
                    answered_for.add(format_guid(copy.shadow_copy_id))
            names |= set(each.exposed_names)
        assert set(self.server.disk) <= answered_for
        assert self.server.shares <= names

    @invariant()
    def what_is_published_is_there(self) -> None:
        for each in self.server.agent.table:
            if each.status in PUBLISHED:
                for copy in each.shadow_copy_list:
                    deleting = any(mapped.deleting for mapped in copy.share_mapping_list)
                    assert deleting or format_guid(copy.shadow_copy_id) in self.server.disk
                    assert copy.snapshot is not None
            else:
                assert not each.exposed_names
                assert all(copy.snapshot is None for copy in each.shadow_copy_list)

    @invariant()
    def the_store_knows_every_set_that_has_made_something(self) -> None:
        store = self.server.store
        assert set(store) == {each.shadow_copy_set_id for each in self.known()}
        for each in self.server.agent.table:
            if each.status in PUBLISHED:
                assert store[each.shadow_copy_set_id] == to_document(each)

    @invariant()
    def turns_and_sets_belong_together(self) -> None:
        agent = self.server.agent
        turns = list(agent._turns._turns.values())
        for turn in turns:
            of = agent.table.get(turn.shadow_copy_set_id or b"")
            assert of is not None or turn.shadow_copy_set_id is None, "a turn outlived its set"
            assert of is None or not agent._is_finished(of), "a turn outlived its creation"
            work = agent._work.get(turn.shadow_copy_set_id or b"")
            busy = work is not None and bool(work.waits)
            assert turn.deadline is not None or busy, "nothing will ever end this turn"
        owned = [turn.shadow_copy_set_id for turn in turns]
        for each in agent.table:
            if not agent._is_finished(each):
                assert each.shadow_copy_set_id in owned, "an unfinished set has no timer"

    @invariant()
    def the_counters_equal_a_recount(self) -> None:
        table = self.server.agent.table
        published: dict[str, int] = {}
        clients: dict[str, int] = {}
        for each in table:
            clients[each.client_address] = clients.get(each.client_address, 0) + 1
            for copy in each.shadow_copy_list if each.status in PUBLISHED else ():
                published[copy.volume_name] = published.get(copy.volume_name, 0) + 1
        assert dict(table._published) == published
        assert dict(table._clients) == clients

    @invariant()
    def jobs_are_those_that_run_and_leaving_sets_are_worked_on(self) -> None:
        agent = self.server.agent
        assert {work.job for work in agent._work.values()} == set(self.server.running)
        for key in agent.leaving:
            assert key in agent._work or key in agent._retries

    @invariant()
    def a_call_is_answered_or_waits(self) -> None:
        waiting: set[int] = set()
        for work in self.server.agent._work.values():
            waiting |= {c.ticket for c in (*work.waits, *work.queue, *work.removal_waits)}
        assert self.asked - self.cut_off == set(self.server.answers) | waiting
        assert not waiting & set(self.server.answers)

    def teardown(self) -> None:
        """Let every client fall silent and the world recover: what stays was finished."""
        if not hasattr(self, "server"):
            return
        for _ in range(4):
            self.server.finish_all()
            self.server.pass_time(4000)
        agent = self.server.agent
        assert not agent.leaving
        assert agent.next_deadline() is None
        assert self.asked - self.cut_off == set(self.server.answers)
        assert all(agent._is_finished(each) for each in agent.table)
        for each in list(agent.table):
            self.server.carry_out(agent.doom(each.shadow_copy_set_id, "the end", self.server.now))
        self.server.finish_all()
        assert self.server.is_clean()


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyOrder = AnyOrder.TestCase
