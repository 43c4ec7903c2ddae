"""A requestor and our agents in memory: sets of contexts and jobs, over servers and owners."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import (
    Refused,
    RequestorError,
    ServerBusy,
)
from tests.unit.requestor.memory import unc
from tests.unit.requestor.world import CREATION, SHARES, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.spec("3.2.4.1-2")
@pytest.mark.spec("3.2.4.8-2")
@pytest.mark.spec("3.2.4.9-2")
def test_one_share_in_the_order_of_windows_clients(world: World) -> None:
    with world.requestor.create([SHARES[0]]) as created:
        assert tuple(map(int, world.nas.calls)) == CREATION
        [copy] = created.copies
        assert copy.unc == f"\\\\nas\\a@{{{str(copy.unc).partition('{')[2]}"
        assert copy.created is not None
        assert world.nas.shares == {copy.unc.rpartition("\\")[2]}
        assert world.nas.open_connections == 0
    assert tuple(map(int, world.nas.calls)) == (*CREATION, 0, 11)
    world.assert_clean()


@pytest.mark.spec("3.2.4.1-1")
def test_a_set_over_two_servers(world: World) -> None:
    with world.requestor.create(SHARES) as created:
        assert [copy.root.given for copy in created.copies] == list(SHARES)
        assert len(world.nas.shares) == 2
        assert len(world.fs2.shares) == 1
        assert [record.set_id for record in created.records] == [created.set_id] * 2
        assert 0 <= created.skew <= created.window
    world.assert_clean()


def test_every_server_has_prepared_before_one_commits(world: World) -> None:
    order: list[Opnum] = []
    for server in world.servers:
        server.on_call = lambda request: order.append(Opnum[type(request).__name__])
    with world.requestor.create(SHARES):
        steps = (Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet, Opnum.ExposeShadowCopySet)
        assert [opnum for opnum in order if opnum in steps] == [
            each for each in steps for _ in "ab"
        ]


def test_applications_are_frozen_from_the_first_commit_to_the_last_answer(world: World) -> None:
    seen: list[str] = []
    for server in world.servers:
        server.on_call = lambda request: seen.append(type(request).__name__)
    freeze, thaw = (lambda: seen.append("freeze")), (lambda: seen.append("thaw"))
    with world.requestor.create(SHARES, freeze=freeze, thaw=thaw):
        begin, end = seen.index("freeze"), seen.index("thaw")
        assert seen[begin + 1 : end] == ["CommitShadowCopySet"] * 2


def test_slow_work_comes_before_the_servers_are_asked(world: World) -> None:
    seen: list[str] = []
    world.nas.on_call = lambda request: seen.append(type(request).__name__)
    with world.requestor.create(SHARES, job="j", prepare=lambda: seen.append("prepare")):
        assert seen[0] == "prepare"
        assert seen.count("prepare") == 1

    def fail() -> None:
        raise RequestorError("writer", "does not checkpoint", "look at it")

    del seen[:]
    with pytest.raises(RequestorError, match="does not checkpoint"):
        world.requestor.create(SHARES, job="j", prepare=fail)
    assert seen == []
    world.assert_clean()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_comes_when_all_is_frozen_thaws_once(
    world: World, interrupt: type[BaseException]
) -> None:
    seen = []

    def freeze() -> None:
        seen.append("freeze")
        raise interrupt  # as a handler of signals does, whose moment nobody chooses

    with pytest.raises(interrupt):
        world.requestor.create(SHARES, freeze=freeze, thaw=lambda: seen.append("thaw"))
    assert seen == ["freeze", "thaw"]
    world.assert_clean()


def test_thaw_follows_a_commit_that_fails_and_not_a_freeze_that_fails(world: World) -> None:
    seen: list[str] = []
    world.fs2.refuse[Opnum.CommitShadowCopySet] = HResult.VSS_E_PROVIDER_VETO
    with pytest.raises(Refused):
        world.requestor.create(SHARES, thaw=lambda: seen.append("thaw"))
    assert seen == ["thaw"]

    def fail() -> None:
        raise RequestorError("writer", "does not freeze", "look at it")

    with pytest.raises(RequestorError, match="does not freeze"):
        world.requestor.create(SHARES, freeze=fail, thaw=lambda: seen.append("again"))
    assert seen == ["thaw"]
    world.fs2.refuse.clear()
    with pytest.raises(RequestorError, match="does not freeze"):
        world.requestor.create(SHARES, thaw=fail)
    world.assert_clean()


# Contexts, and sets that are kept.


@pytest.mark.spec("3.2.3-1")
@pytest.mark.parametrize(
    ("given", "writable", "sent"),
    [
        (context.CTX_BACKUP, False, 0),
        (context.CTX_BACKUP, True, context.ATTR_AUTO_RECOVERY),
        (context.CTX_NAS_ROLLBACK, False, context.CTX_NAS_ROLLBACK),
    ],
)
def test_contexts(world: World, given: int, writable: bool, sent: int) -> None:
    with world.requestor.create([SHARES[0]], context=given, writable=writable, keep=False):
        assert [each.context for each in world.nas.table] == [sent]
    world.assert_clean()


@pytest.mark.parametrize(
    ("given", "keep", "kept"),
    [
        (context.CTX_NAS_ROLLBACK, None, True),
        (context.CTX_BACKUP, True, True),
        (context.CTX_NAS_ROLLBACK, False, False),
        (context.CTX_BACKUP, None, False),
    ],
)
def test_sets_that_are_kept(world: World, given: int, keep: Optional[bool], kept: bool) -> None:
    with world.requestor.create(SHARES, context=given, keep=keep) as created:
        pass
    world.restart_host()
    cleaning = world.requestor.clean()
    assert len(cleaning.kept) == (2 if kept else 0)
    assert len(world.requestor.records()) == (2 if kept else 0)
    if kept:
        world.requestor.delete(created.set_id)
    world.assert_clean()


# Owners.


@pytest.mark.spec("3.2.4.2.1-2")
def test_the_owner_is_contacted_instead(world: World) -> None:
    world.nas.settings = world.nas.settings._replace(owner_machine_name="node7")
    world.nas.agent.configure(world.nas.settings)
    world.names.owners["node7"] = "fs2"
    world.fs2.host = "nas"  # the node answers for the name of the cluster
    world.fs2.agent = world.fs2._new_agent()
    with world.requestor.create([SHARES[0]]) as created:
        assert world.connector.contacted == ["nas", "fs2"]
        assert [record.owner for record in created.records] == ["fs2"]
        assert created.copies[0].unc.startswith("\\\\fs2\\")
        assert world.nas.calls == [Opnum.IsPathSupported]
    world.assert_clean()


@pytest.mark.spec("3.2.4.2.1-2")
def test_an_owner_that_is_not_proved_is_not_contacted(world: World) -> None:
    world.fs2.settings = world.fs2.settings._replace(owner_machine_name="evil")
    world.fs2.agent.configure(world.fs2.settings)
    with pytest.raises(RequestorError, match="evil may not be contacted"):
        world.requestor.create(SHARES)
    assert set(world.connector.contacted) == {"nas", "fs2"}
    world.assert_clean()


# Jobs.


def test_one_run_of_a_job_at_a_time(world: World) -> None:
    with (
        world.requestor.create([SHARES[0]], job="nightly"),
        pytest.raises(RequestorError, match="runs already: process") as caught,
    ):
        world.new_requestor().create([SHARES[2]], job="nightly")
    assert caught.value.exit_status == 4
    with world.requestor.create([SHARES[0]], job="nightly"):
        pass
    world.assert_clean()


def test_the_next_run_of_a_job_removes_what_a_killed_one_left(world: World) -> None:
    world.requestor.create(SHARES, job="nightly")
    world.requestor.create([unc("nas", "z")], job="other", keep=True)
    world.restart_host()
    with world.requestor.create(SHARES, job="nightly"):
        assert len(world.nas.table) == 2
    assert [record.job for record in world.requestor.records()] == ["other"]


def test_two_runs_of_this_host_do_not_create_on_one_server_at_a_time(world: World) -> None:
    """The second one's SetContext would end the first one's set."""

    def second() -> None:
        with pytest.raises(ServerBusy, match="another run on this host"):
            world.new_requestor().create([unc("nas", "z")])

    with world.requestor.create([SHARES[0]], freeze=second):
        pass
    world.assert_clean()
