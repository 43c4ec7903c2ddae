"""Faults around the daemon: each has a defined outcome and a log line that says what to do."""

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
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE
from tests.interop.raw_agent import RawAgent, wide
from tests.reliability import observed_state
from tests.reliability.fault_injection.client_session import ClientSession
from tests.reliability.fault_injection.fault_points import BEFORE, HANG, Plan
from tests.reliability.harness import Harness, assert_in_order

STEPS = (
    Opnum.PrepareShadowCopySet,
    Opnum.CommitShadowCopySet,
    Opnum.ExposeShadowCopySet,
    Opnum.RecoveryCompleteShadowCopySet,
)


@pytest.fixture(autouse=True)
def order_in_the_end(harness: Harness) -> Iterator[None]:
    yield
    if not harness.daemon.is_alive():
        harness.daemon.start()
    with RawAgent(harness.nas) as agent:
        agent.must(Opnum.AbortShadowCopySet, agent.start())
    assert harness.daemon.ask("list-sets") == []
    assert_in_order(harness)
    harness.daemon.stop()


def state_folder(harness: Harness) -> Path:
    return harness.nas.samba.place("state directory") / "fsrvpd"


def call_now(agent: RawAgent, opnum: Opnum, set_id: bytes, milliseconds: int = 60_000) -> int:
    return agent.result(opnum, set_id + struct.pack("<I", milliseconds))


def added(agent: RawAgent, share: str = TORTURE_SHARE) -> bytes:
    set_id = agent.start()
    agent.add(set_id, share)
    return set_id


def refused_start(harness: Harness, *options: str) -> str:
    """Return the output of an fsrvpd that refuses to start."""
    argv = [SCRIPTS / "fsrvpd", "-F", "-s", harness.nas.samba.conf, *options]
    done = harness.nas.lab.run(argv, check=False)
    assert done.returncode == 1, done
    return done.stderr


# Disks.


def test_a_full_volume(harness: Harness) -> None:
    harness.daemon.start()
    volume = harness.nas.volumes["vault"]
    harness.nas.lab.run(["sh", "-c", f"head -c 2G /dev/zero > {volume}/filler"], check=False)
    with RawAgent(harness.nas) as agent:
        set_id = added(agent, "vault")
        assert call_now(agent, Opnum.CommitShadowCopySet, set_id) in (
            HResult.VSS_E_INSUFFICIENT_STORAGE,
            HResult.ZERO,  # XFS reserves some blocks, and a clone needs few
        )
        agent.must(Opnum.AbortShadowCopySet, set_id)
    harness.nas.lab.run(["rm", volume / "filler"])


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_volume_with_less_than_the_wanted_space(harness: Harness, share: str) -> None:
    harness.nas.samba.set_option("fsrvpd:min free space", "100000")
    harness.daemon.start()
    with RawAgent(harness.nas) as agent:
        set_id = added(agent, share)
        for opnum in (Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet):
            assert call_now(agent, opnum, set_id) == HResult.VSS_E_INSUFFICIENT_STORAGE
        agent.must(Opnum.AbortShadowCopySet, set_id)
    assert "fsrvpd:min free space = 100000" in harness.daemon.read_log()
    harness.nas.samba.set_option("fsrvpd:min free space", None)


def test_a_full_state_disk(harness: Harness) -> None:
    """No call succeeds whose effect could be lost, and existing sets are still served."""
    state_folder(harness).mkdir(exist_ok=True)
    harness.nas.lab.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", state_folder(harness)])
    try:
        harness.daemon.start()
        with RawAgent(harness.nas) as agent:
            set_id = added(agent)
            filler = ["sh", "-c", f"cat /dev/zero > {state_folder(harness)}/filler"]
            harness.nas.lab.run(filler, check=False)
            assert call_now(agent, Opnum.CommitShadowCopySet, set_id) == HResult.E_UNEXPECTED
            assert observed_state.read(harness.nas).snapshots == frozenset()
            assert "check free space" in harness.daemon.read_log()
            harness.nas.lab.run(["rm", state_folder(harness) / "filler"])
            set_id = added(agent)
            assert call_now(agent, Opnum.CommitShadowCopySet, set_id) == HResult.ZERO
            agent.must(Opnum.AbortShadowCopySet, set_id)
        harness.daemon.stop()
    finally:
        harness.nas.lab.unmount(state_folder(harness))


def test_a_volume_that_turned_read_only(harness: Harness) -> None:
    harness.daemon.start()
    data = harness.nas.volumes["data"]
    with RawAgent(harness.nas) as agent:
        set_id = added(agent)
        for opnum in STEPS[:3]:
            agent.advance(opnum, set_id)
        harness.nas.lab.run(["mount", "-o", "remount,ro", data])
        assert agent.result(Opnum.AbortShadowCopySet, set_id) == HResult.VSS_E_PROVIDER_VETO
        assert "Read-only file system" in harness.daemon.read_log()
        assert "next attempt in 60 s" in harness.daemon.read_log()
        another = agent.start()
        stub = another + another + wide(agent.unc(TORTURE_SHARE))
        refused = agent.result(Opnum.AddToShadowCopySet, stub)
        assert refused == HResult.FSRVP_E_NOT_SUPPORTED
        harness.nas.lab.run(["mount", "-o", "remount,rw", data])
        agent.must(Opnum.AbortShadowCopySet, set_id)


# Hangs.


def test_a_provider_that_hangs_costs_one_call_its_time(harness: Harness) -> None:
    harness.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(harness.nas) as agent, RawAgent(harness.nas) as other:
        set_id = added(agent)
        late = call_now(agent, Opnum.CommitShadowCopySet, set_id, 300)
        assert late == HResult.FSSAGENT_E_TIMEOUT
        other.must(Opnum.GetSupportedVersion, b"")
        assert other.result(Opnum.IsPathSupported, wide(other.unc("vault"))) == HResult.ZERO
        second = added(other, "vault")  # the same address: this removes the first set
        assert call_now(other, Opnum.CommitShadowCopySet, second) == HResult.ZERO
        harness.daemon.release()
        wait_until(
            "the late snapshot is gone",
            lambda: len(observed_state.read(harness.nas).snapshots) == 1,
        )
        assert "because a volume is slow or hung" in harness.daemon.read_log()
        other.must(Opnum.AbortShadowCopySet, second)


def test_sigterm_while_a_snapshot_is_taken(harness: Harness) -> None:
    harness.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(harness.nas) as agent:
        set_id = added(agent)
        late = call_now(agent, Opnum.CommitShadowCopySet, set_id, 100)
        assert late == HResult.FSSAGENT_E_TIMEOUT
    harness.daemon.terminate()
    harness.daemon.release()
    assert harness.daemon.wait() == 0


def test_sigterm_while_a_provider_hangs_for_ever(harness: Harness) -> None:
    harness.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    with RawAgent(harness.nas) as agent:
        call_now(agent, Opnum.CommitShadowCopySet, added(agent), 100)
    harness.daemon.terminate()
    assert harness.daemon.wait() == 0
    assert "still running after" in harness.daemon.read_log()


# Processes.


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_the_registry_worker_dies_between_two_steps(
    harness: Harness, number: signal.Signals
) -> None:
    harness.daemon.start()
    with RawAgent(harness.nas) as agent:
        set_id = added(agent)
        for opnum in STEPS:
            for worker in harness.daemon.workers():
                os.kill(worker, number)
            agent.advance(opnum, set_id)
        [copy] = harness.daemon.ask("list-sets")[0]["copies"]
        assert copy["shares"][0]["exposed"]
        agent.delete(set_id, parse_guid(copy["copy"]), TORTURE_SHARE)
    assert "retrying with a new one" in harness.daemon.read_log()


def test_smbd_is_restarted_in_the_middle_of_a_set(harness: Harness) -> None:
    harness.daemon.start()
    with RawAgent(harness.nas) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, TORTURE_SHARE)
        for opnum in STEPS[:3]:
            agent.advance(opnum, set_id)
    harness.nas.samba.stop()
    harness.nas.samba.start()
    with RawAgent(harness.nas) as agent:
        share = agent.mapping(set_id, copy_id, TORTURE_SHARE).share
        agent.advance(STEPS[3], set_id)
        assert agent.read(share, "old.txt") == b"old\n"
        agent.delete(set_id, copy_id, TORTURE_SHARE)


@pytest.mark.parametrize("steps", range(4))
def test_a_client_that_is_gone_leaves_nothing(harness: Harness, steps: int) -> None:
    harness.nas.samba.set_option("fss:sequence timeout", "1")
    harness.daemon.start()
    with RawAgent(harness.nas) as agent:
        set_id = added(agent)
        for opnum in STEPS[:steps]:
            agent.advance(opnum, set_id)
    wait_until("its set is gone", lambda: harness.daemon.ask("list-sets") == [])
    assert "message sequence timer of client" in harness.daemon.read_log()
    harness.daemon.stop()
    harness.nas.samba.set_option("fss:sequence timeout", None)


def test_a_client_that_hangs_up_in_the_middle_of_a_call(harness: Harness) -> None:
    harness.daemon.start(Plan("btrfs.create#1", BEFORE, HANG))
    agent = RawAgent(harness.nas)
    set_id = added(agent)
    agent.begin(Opnum.CommitShadowCopySet, set_id + struct.pack("<I", 60_000))
    wait_until("the commit hangs", harness.daemon.struck)
    agent.hang_up()
    harness.daemon.release()
    wait_until("it is committed", lambda: is_committed(harness))


def is_committed(harness: Harness) -> bool:
    return [each["status"] for each in harness.daemon.ask("list-sets")] == ["Committed"]


def test_a_second_daemon_on_the_same_configuration(harness: Harness) -> None:
    harness.daemon.start()
    said = refused_start(harness)
    assert "fsrvpd is already running with this configuration" in said
    said = refused_start(harness, f"--option=pid directory={harness.nas.lab.directory}")
    assert "if another fsrvpd runs on this configuration stop it" in said
    assert harness.daemon.ask("status")["pipe"]["ours"]


# The state file.


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b"no database at all" * 100), "start fsrvpd again"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "start fsrvpd again"),
        (lambda path: set_version(path, 99), "install that version again, or move the file away"),
        (lambda path: set_format(path, 2), "delete its sets with `fsrvpctl fsrvpd delete-set"),
    ],
    ids=["noise", "truncated", "newer", "of a development version"],
)
def test_a_state_file_that_cannot_be_read(harness: Harness, damage: object, words: str) -> None:
    """The daemon does not start, since a wrong guess costs more than waiting for an admin.

    With the file moved away it starts, and recognises its snapshots by their markers.
    """
    harness.daemon.start()
    ClientSession(harness.nas, ("recover",)).go()
    harness.daemon.stop()
    path = state_folder(harness) / "state.sqlite3"
    whole = path.read_bytes()
    assert callable(damage)
    damage(path)
    said = refused_start(harness)
    assert words in said
    assert len(observed_state.read(harness.nas).snapshots) == 2
    path.rename(path.with_name("aside"))
    harness.daemon.start()
    assert len(harness.daemon.ask("prune", "--dry-run")) == 4
    harness.daemon.stop()
    path.write_bytes(whole)
    harness.daemon.start()
    [kept] = harness.daemon.ask("list-sets")
    assert kept["status"] == "Recovered"
    harness.daemon.stop()
    path.unlink()
    harness.daemon.start()
    harness.daemon.ask("prune")


def set_version(path: Path, version: int) -> None:
    with sqlite3.connect(path) as state:
        state.execute(f"PRAGMA user_version = {version}")
    state.close()


def set_format(path: Path, number: int) -> None:
    with sqlite3.connect(path) as state:
        document = f"replace(document, '\"format\":3', '\"format\":{number}')"
        state.execute(f"UPDATE sets SET document = {document}")
    state.close()
