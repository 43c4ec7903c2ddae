"""Faults of the world around the daemon: each has an outcome, and a line that says what to do."""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum, parse_guid
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import RawAgent, wide
from tests.interop.site import TORTURE_SHARE
from tests.lab.daemon import SCRIPTS
from tests.lab.namespaces import wait_until
from tests.reliability import truths
from tests.reliability.bed import Bed, assert_in_order
from tests.reliability.walk.journey import Journey
from tests.reliability.walk.points import BEFORE, HANG, Plan

STEPS = (
    Opnum.PrepareShadowCopySet,
    Opnum.CommitShadowCopySet,
    Opnum.ExposeShadowCopySet,
    Opnum.RecoveryCompleteShadowCopySet,
)


@pytest.fixture(autouse=True)
def order_in_the_end(bed: Bed) -> Iterator[None]:
    yield
    if not bed.daemon.is_alive():
        bed.daemon.start()
    with RawAgent(bed.site) as agent:
        agent.must(Opnum.AbortShadowCopySet, agent.start())
    assert bed.daemon.ask("list-sets") == []
    assert_in_order(bed)
    bed.daemon.stop()


def state_folder(bed: Bed) -> Path:
    return bed.site.samba.place("state directory") / "fsrvpd"


def call_now(agent: RawAgent, opnum: Opnum, set_id: bytes, milliseconds: int = 60_000) -> int:
    return agent.result(opnum, set_id + struct.pack("<I", milliseconds))


def added(agent: RawAgent, share: str = TORTURE_SHARE) -> bytes:
    set_id = agent.start()
    agent.add(set_id, share)
    return set_id


def refused_start(bed: Bed, *options: str) -> str:
    """What fsrvpd says when it does not start."""
    argv = [SCRIPTS / "fsrvpd", "-F", "-s", bed.site.samba.conf, *options]
    done = bed.site.lab.run(argv, check=False)
    assert done.returncode == 1, done
    return done.stderr


# Disks.


def test_a_full_volume(bed: Bed) -> None:
    bed.daemon.start()
    volume = bed.site.volumes["vault"]
    bed.site.lab.run(["sh", "-c", f"head -c 2G /dev/zero > {volume}/filler"], check=False)
    with RawAgent(bed.site) as agent:
        set_id = added(agent, "vault")
        assert call_now(agent, Opnum.CommitShadowCopySet, set_id) in (
            HResult.VSS_E_INSUFFICIENT_STORAGE,
            HResult.ZERO,  # XFS keeps some blocks back, and a clone needs few
        )
        agent.must(Opnum.AbortShadowCopySet, set_id)
    bed.site.lab.run(["rm", volume / "filler"])


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_volume_with_less_than_the_wanted_space(bed: Bed, share: str) -> None:
    bed.site.samba.set_option("fsrvpd:min free space", "100000")
    bed.daemon.start()
    with RawAgent(bed.site) as agent:
        set_id = added(agent, share)
        for opnum in (Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet):
            assert call_now(agent, opnum, set_id) == HResult.VSS_E_INSUFFICIENT_STORAGE
        agent.must(Opnum.AbortShadowCopySet, set_id)
    assert "fsrvpd:min free space = 100000" in bed.daemon.read_log()
    bed.site.samba.set_option("fsrvpd:min free space", None)


def test_a_full_state_disk(bed: Bed) -> None:
    """Nothing is answered as done that could be lost, and what was promised is served on."""
    state_folder(bed).mkdir(exist_ok=True)
    bed.site.lab.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", state_folder(bed)])
    try:
        bed.daemon.start()
        with RawAgent(bed.site) as agent:
            set_id = added(agent)
            filler = ["sh", "-c", f"cat /dev/zero > {state_folder(bed)}/filler"]
            bed.site.lab.run(filler, check=False)
            assert call_now(agent, Opnum.CommitShadowCopySet, set_id) == HResult.E_UNEXPECTED
            assert truths.read(bed.site).snapshots == frozenset()
            assert "check free space" in bed.daemon.read_log()
            bed.site.lab.run(["rm", state_folder(bed) / "filler"])
            set_id = added(agent)
            assert call_now(agent, Opnum.CommitShadowCopySet, set_id) == HResult.ZERO
            agent.must(Opnum.AbortShadowCopySet, set_id)
        bed.daemon.stop()
    finally:
        bed.site.lab.unmount(state_folder(bed))


def test_a_volume_that_turned_read_only(bed: Bed) -> None:
    bed.daemon.start()
    data = bed.site.volumes["data"]
    with RawAgent(bed.site) as agent:
        set_id = added(agent)
        for opnum in STEPS[:3]:
            agent.advance(opnum, set_id)
        bed.site.lab.run(["mount", "-o", "remount,ro", data])
        assert agent.result(Opnum.AbortShadowCopySet, set_id) == HResult.VSS_E_PROVIDER_VETO
        assert "Read-only file system" in bed.daemon.read_log()
        assert "tried again in 60 s" in bed.daemon.read_log()
        another = agent.start()
        stub = another + another + wide(agent.unc(TORTURE_SHARE))
        refused = agent.result(Opnum.AddToShadowCopySet, stub)
        assert refused == HResult.FSRVP_E_NOT_SUPPORTED
        bed.site.lab.run(["mount", "-o", "remount,rw", data])
        agent.must(Opnum.AbortShadowCopySet, set_id)


# What hangs.


def test_a_provider_that_hangs_costs_one_call_its_time(bed: Bed) -> None:
    bed.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(bed.site) as agent, RawAgent(bed.site) as other:
        set_id = added(agent)
        late = call_now(agent, Opnum.CommitShadowCopySet, set_id, 300)
        assert late == HResult.FSSAGENT_E_TIMEOUT
        other.must(Opnum.GetSupportedVersion, b"")
        assert other.result(Opnum.IsPathSupported, wide(other.unc("vault"))) == HResult.ZERO
        second = added(other, "vault")  # from the same address: the first one is to go
        assert call_now(other, Opnum.CommitShadowCopySet, second) == HResult.ZERO
        bed.daemon.release()
        wait_until("the late snapshot is gone", lambda: len(truths.read(bed.site).snapshots) == 1)
        assert "for a volume that is slow or hangs" in bed.daemon.read_log()
        other.must(Opnum.AbortShadowCopySet, second)


def test_sigterm_while_a_snapshot_is_taken(bed: Bed) -> None:
    bed.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(bed.site) as agent:
        set_id = added(agent)
        late = call_now(agent, Opnum.CommitShadowCopySet, set_id, 100)
        assert late == HResult.FSSAGENT_E_TIMEOUT
    bed.daemon.terminate()
    bed.daemon.release()
    assert bed.daemon.wait() == 0


def test_sigterm_while_a_provider_hangs_for_ever(bed: Bed) -> None:
    bed.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(bed.site) as agent:
        call_now(agent, Opnum.CommitShadowCopySet, added(agent), 100)
    bed.daemon.terminate()
    assert bed.daemon.wait() == 0
    assert "did not end within" in bed.daemon.read_log()


# Processes.


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_the_registry_worker_dies_between_two_steps(bed: Bed, number: signal.Signals) -> None:
    bed.daemon.start()
    with RawAgent(bed.site) as agent:
        set_id = added(agent)
        for opnum in STEPS:
            for worker in bed.daemon.workers():
                os.kill(worker, number)
            agent.advance(opnum, set_id)
        [copy] = bed.daemon.ask("list-sets")[0]["copies"]
        assert copy["shares"][0]["exposed"]
        agent.delete(set_id, parse_guid(copy["copy"]), TORTURE_SHARE)
    assert "trying once more with a new one" in bed.daemon.read_log()


def test_smbd_is_restarted_in_the_middle_of_a_set(bed: Bed) -> None:
    bed.daemon.start()
    with RawAgent(bed.site) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, TORTURE_SHARE)
        for opnum in STEPS[:3]:
            agent.advance(opnum, set_id)
    bed.site.samba.stop()
    bed.site.samba.start()
    with RawAgent(bed.site) as agent:
        share = agent.mapping(set_id, copy_id, TORTURE_SHARE).share
        agent.advance(STEPS[3], set_id)
        assert agent.read(share, "old.txt") == b"old\n"
        agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.parametrize("steps", range(4))
def test_a_client_that_is_gone_leaves_nothing(bed: Bed, steps: int) -> None:
    bed.site.samba.set_option("fss:sequence timeout", "1")
    bed.daemon.start()
    with RawAgent(bed.site) as agent:
        set_id = added(agent)
        for opnum in STEPS[:steps]:
            agent.advance(opnum, set_id)
    wait_until("its set is gone", lambda: bed.daemon.ask("list-sets") == [])
    assert "the message sequence timer of client" in bed.daemon.read_log()
    bed.daemon.stop()
    bed.site.samba.set_option("fss:sequence timeout", None)


def test_a_client_that_hangs_up_in_the_middle_of_a_call(bed: Bed) -> None:
    bed.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    agent = RawAgent(bed.site)
    set_id = added(agent)
    agent.begin(Opnum.CommitShadowCopySet, set_id + struct.pack("<I", 60_000))
    wait_until("the commit hangs", bed.daemon.struck)
    agent.hang_up()
    bed.daemon.release()
    wait_until("it is committed", lambda: is_committed(bed))


def is_committed(bed: Bed) -> bool:
    return [each["status"] for each in bed.daemon.ask("list-sets")] == ["Committed"]


def test_a_second_daemon_on_the_same_configuration(bed: Bed) -> None:
    bed.daemon.start()
    said = refused_start(bed)
    assert "fsrvpd runs already on this configuration" in said
    said = refused_start(bed, f"--option=pid directory={bed.site.lab.directory}")
    assert "if another fsrvpd runs on this configuration stop it" in said
    assert bed.daemon.ask("status")["pipe"]["ours"]


# The state file.


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b"no database at all" * 100), "start fsrvpd again"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "start fsrvpd again"),
        (lambda path: set_version(path, 99), "install that version again, or move the file away"),
    ],
    ids=["noise", "truncated", "newer"],
)
def test_a_state_file_that_cannot_be_read(bed: Bed, damage: object, words: str) -> None:
    """The daemon does not start: to guess would cost more than to wait for an admin. With
    the file moved away it starts, and knows its snapshots by their marks."""
    bed.daemon.start()
    Journey(bed.site, ("recover",)).go()
    bed.daemon.stop()
    path = state_folder(bed) / "state.sqlite3"
    whole = path.read_bytes()
    assert callable(damage)
    damage(path)
    said = refused_start(bed)
    assert words in said
    assert len(truths.read(bed.site).snapshots) == 2
    path.rename(path.with_name("aside"))
    bed.daemon.start()
    assert len(bed.daemon.ask("prune", "--dry-run")) == 4
    bed.daemon.stop()
    path.write_bytes(whole)
    bed.daemon.start()
    [kept] = bed.daemon.ask("list-sets")
    assert kept["status"] == "Recovered"
    bed.daemon.stop()
    path.unlink()
    bed.daemon.start()
    bed.daemon.ask("prune")


def set_version(path: Path, version: int) -> None:
    with sqlite3.connect(path) as state:
        state.execute(f"PRAGMA user_version = {version}")
    state.close()
