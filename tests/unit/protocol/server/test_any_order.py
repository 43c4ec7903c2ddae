"""Calls, job ends, time-outs and restarts in any order, against a world that is watched.

Hypothesis plays two clients, jobs that hang, fail halfway or succeed, and power cuts. After
every step the invariants must hold: everything on disk belongs to a set or a job, no creation
session outlives its set, and every counter equals a recount.
"""

from __future__ import annotations

from typing import Optional

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fsrvpd.core import messages as m
from fsrvpd.core.messages import format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call, Commit, Conclude, Expose, Failed, Job, Remove
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import ShadowCopySet, Status
from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.protocol.server.document import to_document
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Server, guid, unc

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2"])
SHARES = st.sampled_from(["a", "b", "c"])  # a and b lie on one volume, and c is to be kept
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
UNTOUCHED = (Status.STARTED, Status.ADDED)
PUBLISHED = (Status.COMMITTED, Status.EXPOSED, Status.RECOVERED)


def location(share: str) -> ShareLocation:
    volume = "other" if share == "c" else "pool"
    path = f"/{volume}/{share}"
    options = {"keep": "yes"} if share == "c" else {}
    definition = Share(share, path, False, options=options)
    return ShareLocation(definition, volume, f"/{volume}", "btrfs", path, True)


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
        self.asked: set[Call] = set()
        self.cut_off: set[Call] = set()  # calls whose daemon was killed
        self.set_ids: list[bytes] = []
        self.may_stay: set[str] = set()  # copies to keep, of sets that were exposed once
        self.kept: set[str] = set()  # those of complete ones

    # Clients.

    def ask(self, request: m.Request, address: str, where: Optional[ShareLocation] = None) -> Call:
        call = self.server.call(request, address, where)
        self.asked.add(call)
        return call

    @rule(address=ADDRESSES, value=CONTEXTS)
    def set_context(self, address: str, value: int) -> None:
        self.ask(m.SetContext(value), address)

    @rule(address=ADDRESSES)
    def start(self, address: str) -> None:
        call = self.ask(m.StartShadowCopySet(guid(1)), address)
        response = self.server.answers[call]
        assert isinstance(response, m.GuidResponse)
        if not response.result:
            self.set_ids.append(response.guid)

    @rule(address=ADDRESSES, value=CONTEXTS, share=SHARES, until=st.integers(0, 4))
    def begin_a_set(self, address: str, value: int, share: str, until: int) -> None:
        """The usual order, so that runs get somewhere."""
        self.set_context(address, value)
        self.start(address)
        if not self.set_ids:
            return
        key = self.set_ids[-1]
        self.ask(m.AddToShadowCopySet(guid(2), key, unc(share)), address, location(share))
        for method in WITH_TIME_OUT[:until]:
            self.ask(method(key, 60_000), address)
            self.server.finish_all()
        if until > len(WITH_TIME_OUT):
            self.ask(m.RecoveryCompleteShadowCopySet(key), address)
            self.server.finish_all()

    @precondition(lambda self: self.set_ids)
    @rule(data=st.data(), address=ADDRESSES, share=SHARES)
    def add(self, data: st.DataObject, address: str, share: str) -> None:
        key = data.draw(st.sampled_from(self.set_ids))
        self.ask(m.AddToShadowCopySet(guid(2), key, unc(share)), address, location(share))

    @precondition(lambda self: self.set_ids)
    @rule(data=st.data(), address=ADDRESSES, method=WITH_SET, time_out=TIME_OUTS)
    def go_on(self, data: st.DataObject, address: str, method: type, time_out: int) -> None:
        key = data.draw(st.sampled_from(self.set_ids[-3:]))
        self.ask(method(key, time_out) if method in WITH_TIME_OUT else method(key), address)

    @precondition(lambda self: any(s.shadow_copy_list for s in self.server.table))
    @rule(data=st.data(), address=ADDRESSES, share=SHARES, delete=st.booleans())
    def look_or_delete(self, data: st.DataObject, address: str, share: str, delete: bool) -> None:
        copies = [(s, copy) for s in self.server.table for copy in s.shadow_copy_list]
        shadow_copy_set, copy = data.draw(st.sampled_from(copies))
        key, copy_id = shadow_copy_set.shadow_copy_set_id, copy.shadow_copy_id
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
        """A commit or a removal may be done in part; of the shares, all or none."""
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

    @rule(done=st.integers(0, 3), power=st.booleans())
    def the_daemon_is_killed_or_the_power_cut(self, done: int, power: bool) -> None:
        for job in self.server.running:
            self.do_part(job, done)
            if isinstance(job, Expose) and done:
                self.server.shares |= {share.name for share in job.shares}
        self.cut_off |= self.asked - set(self.server.answers)
        promised = self.promised(power)
        self.server.cut_power() if power else self.server.restart()
        self.server.finish_all()
        statuses = {each.shadow_copy_set_id: each.status for each in self.server.table}
        for key, status in promised.items():
            assert statuses.get(key) in PUBLISHED[PUBLISHED.index(status) :]

    def promised(self, power: bool) -> dict[bytes, Status]:
        """The sets that must live on, with the Status that a client was told of: those without a
        job, which nobody is removing and no reboot ends."""
        state = self.server.agent_state
        lasting = [
            each
            for each in self.server.table
            if each.status in PUBLISHED
            and each.shadow_copy_set_id not in state.jobs
            and (context.is_persistent(each.context) or not power)
        ]
        addresses = [each.client_address for each in self.server.table]
        return {
            each.shadow_copy_set_id: each.status
            for each in lasting
            if not any(m.deleting for c in each.shadow_copy_list for m in c.share_mapping_list)
            and (state.is_finished(each) or addresses.count(each.client_address) == 1)
        }

    @precondition(lambda self: self.server.table)
    @rule(data=st.data())
    def an_admin_removes_a_set(self, data: st.DataObject) -> None:
        sets = [s.shadow_copy_set_id for s in self.server.table]
        key = data.draw(st.sampled_from(sets))
        self.server.carry_out(
            self.server.agent.remove_set(key, "an admin wants it", self.server.now)
        )

    @precondition(lambda self: any(s.status is Status.RECOVERED for s in self.server.table))
    @rule(data=st.data())
    def an_admin_keeps_a_set(self, data: st.DataObject) -> None:
        sets = [each for each in self.server.table if each.status is Status.RECOVERED]
        key = data.draw(st.sampled_from(sets)).shadow_copy_set_id
        self.server.carry_out(self.server.agent.keep_set(key, self.server.now))

    # The invariants.

    def known(self) -> list[ShadowCopySet]:
        return self.server.agent.view.all_sets

    @invariant()
    def every_snapshot_and_share_has_somebody_who_answers_for_it(self) -> None:
        answered_for: set[str] = set()
        names: set[str] = set()
        for each in self.known():
            for copy in each.shadow_copy_list:
                if copy.snapshot is not None or each.may_have_unrecorded_snapshots:
                    answered_for.add(format_guid(copy.shadow_copy_id))
            names |= set(each.exposed_names)
        assert set(self.server.disk) <= answered_for | self.may_stay
        assert self.server.shares <= names

    @invariant()
    def kept_copies_of_complete_backups_stay(self) -> None:
        for each in self.server.table:
            to_keep = {format_guid(c.shadow_copy_id) for c in each.shadow_copy_list if c.keep}
            if each.status in (Status.EXPOSED, Status.RECOVERED):
                self.may_stay |= to_keep
            if each.status is Status.RECOVERED:
                self.kept |= to_keep
        assert self.kept <= set(self.server.disk)

    @invariant()
    def what_is_published_is_there(self) -> None:
        for each in self.server.table:
            if each.status in PUBLISHED:
                for copy in each.shadow_copy_list:
                    deleting = any(mapped.deleting for mapped in copy.share_mapping_list)
                    assert deleting or format_guid(copy.shadow_copy_id) in self.server.disk
                    assert copy.snapshot is not None
            elif not self.is_being_concluded(each):
                assert not each.exposed_names
                assert all(copy.snapshot is None for copy in each.shadow_copy_list)

    @invariant()
    def the_store_knows_every_set_that_has_made_something(self) -> None:
        store = self.server.store
        assert set(store) <= {each.shadow_copy_set_id for each in self.known()}
        assert set(store) >= {
            each.shadow_copy_set_id for each in self.known() if each.status not in UNTOUCHED
        }
        jobs = self.server.agent_state.jobs
        for each in self.server.table:
            if each.status in PUBLISHED and each.shadow_copy_set_id not in jobs:
                assert store[each.shadow_copy_set_id] == to_document(each)

    def is_being_concluded(self, shadow_copy_set: ShadowCopySet) -> bool:
        running = self.server.agent_state.jobs.get(shadow_copy_set.shadow_copy_set_id)
        return running is not None and isinstance(running.job, Conclude)

    @invariant()
    def sessions_and_sets_belong_together(self) -> None:
        state = self.server.agent_state
        sessions = list(state.sessions._sessions.values())
        for session in sessions:
            key = session.shadow_copy_set_id
            created = state.table.get(key or b"")
            assert created is not None or key is None, "a session outlived its set"
            assert created is None or not state.is_finished(created), "or its creation"
            running = state.jobs.get(key or b"")
            busy = running is not None and bool(running.waiters)
            assert session.deadline is not None or busy, "nothing will ever end this session"
        owned = [session.shadow_copy_set_id for session in sessions]
        for each in state.table:
            if not state.is_finished(each):
                assert each.shadow_copy_set_id in owned, "an unfinished set has no timer"

    @invariant()
    def the_counters_equal_a_recount(self) -> None:
        table = self.server.table
        published: dict[str, int] = {}
        clients: dict[str, int] = {}
        for each in table:
            clients[each.client_address] = clients.get(each.client_address, 0) + 1
            for copy in each.shadow_copy_list if each.status in PUBLISHED else ():
                published[copy.volume_name] = published.get(copy.volume_name, 0) + 1
        assert dict(table._published) == published
        assert dict(table._clients) == clients

    @invariant()
    def jobs_are_those_that_run_and_sets_are_being_removed(self) -> None:
        state = self.server.agent_state
        waiting = [
            running.job
            for key, running in state.jobs.items()
            if isinstance(running.job, Conclude) and key in state.retries
        ]
        jobs = {running.job for running in state.jobs.values()}
        assert jobs == {*self.server.running, *waiting}
        for key in state.removing:
            assert key in state.jobs or key in state.retries

    @invariant()
    def a_call_is_answered_or_waits(self) -> None:
        waiting: set[Call] = set()
        for running in self.server.agent_state.jobs.values():
            waiting |= {*running.waiters, *running.queue, *running.removal_waiters}
        assert self.asked - self.cut_off == set(self.server.answers) | waiting
        assert not waiting & set(self.server.answers)

    def teardown(self) -> None:
        """Let every client stop and all storage recover: only finished sets may be left."""
        if not hasattr(self, "server"):
            return
        for _ in range(4):
            self.server.finish_all()
            self.server.pass_time(4000)
        agent = self.server.agent
        state = self.server.agent_state
        assert not state.removing
        assert agent.next_deadline() is None
        assert self.asked - self.cut_off == set(self.server.answers)
        assert all(state.is_finished(each) for each in state.table)
        for each in list(state.table):
            self.server.carry_out(
                agent.remove_set(each.shadow_copy_set_id, "the end", self.server.now)
            )
        self.server.finish_all()
        assert self.kept <= set(self.server.disk) <= self.may_stay
        self.server.disk.clear()
        assert self.server.is_clean()


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyOrder = AnyOrder.TestCase
