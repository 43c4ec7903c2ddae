"""Somebody sets the server's clock by a month while the daemon runs and has sets.

The daemon and its registry worker get a shifted wall clock (see shifted_clock.c). The monotonic
clock, which nobody can set, is the kernel's.
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from lab.frozen import frozen
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import RawAgent, result_of

DAY = 86_400
SOURCE = Path(__file__).with_name("shifted_clock.c")
MONTH = [30 * DAY, -30 * DAY]


class Clock(NamedTuple):
    nas: Nas
    shift: mmap.mmap

    def jump(self, seconds: int) -> None:
        """Set the wall clock to the kernel's time plus `seconds`."""
        self.shift[:] = seconds.to_bytes(8, sys.byteorder, signed=True)

    def start_daemon(self) -> None:
        folder = self.nas.lab.directory
        lie = [f"LD_PRELOAD={folder}/clock.so", f"SHIFTED_CLOCK={folder}/clock"]
        self.nas.daemon.start(before=["env", *lie])

    def limit_ages(self) -> None:
        """Have the daemon check the ages of its sets, which it does before the next request."""
        self.nas.daemon.ctl("reload-config")
        self.nas.daemon.ask("status")


@pytest.fixture(scope="module")
def shifted() -> Iterator[Clock]:
    with open_nas() as nas:
        nas.daemon.stop()
        folder = nas.lab.directory
        (folder / "clock").write_bytes(bytes(8))
        built = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2"]
        nas.lab.run([*built, "-o", folder / "clock.so", SOURCE])
        with (folder / "clock").open("r+b") as file, mmap.mmap(file.fileno(), 8) as shift:
            clock = Clock(nas, shift)
            clock.start_daemon()
            yield clock


@pytest.fixture
def clock(shifted: Clock) -> Iterator[Clock]:
    yield shifted
    shifted.jump(0)
    for each in shifted.nas.daemon.ask("list-sets"):
        shifted.nas.daemon.ctl("delete-set", each["set"])
    shifted.nas.assert_nothing_is_left()


def recovered(agent: RawAgent, value: int = context.CTX_BACKUP) -> bytes:
    set_id = agent.start(value)
    agent.add(set_id, TORTURE_SHARE)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    return set_id


def statuses(clock: Clock) -> list[str]:
    return [each["status"] for each in clock.nas.daemon.ask("list-sets")]


def said_jumps(clock: Clock) -> list[str]:
    return re.findall(r"system clock jumped (\w+ \d+ s)", clock.nas.daemon.read_log())


@pytest.mark.parametrize("seconds", MONTH)
def test_a_set_in_creation_goes_on(clock: Clock, seconds: int) -> None:
    """The clock jumps before PrepareShadowCopySet and before ExposeShadowCopySet."""
    with RawAgent(clock.nas) as agent:
        for offset in (0, seconds, 0):
            set_id = agent.start()
            copy_id = agent.add(set_id, TORTURE_SHARE)
            clock.jump(offset)
            agent.advance(Opnum.PrepareShadowCopySet, set_id)
            agent.advance(Opnum.CommitShadowCopySet, set_id)
            clock.jump(seconds - offset)
            agent.advance(Opnum.ExposeShadowCopySet, set_id)
            assert agent.mapping(set_id, copy_id, TORTURE_SHARE).copy_id == copy_id
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    assert statuses(clock) == ["Recovered"] * 3
    clock.nas.daemon.stop()
    clock.start_daemon()
    assert statuses(clock) == ["Recovered"] * 3


@pytest.mark.parametrize("seconds", MONTH)
def test_a_call_under_way_keeps_its_time_out(clock: Clock, seconds: int) -> None:
    with RawAgent(clock.nas) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        with frozen(clock.nas.lab, clock.nas.volumes["data"]):
            agent.begin(Opnum.CommitShadowCopySet, set_id + struct.pack("<I", 60_000))
            wait_until("it commits", lambda: clock.nas.daemon.ask("status")["sets_with_jobs"] == 1)
            clock.jump(seconds)
            assert clock.nas.daemon.ask("status")["sets_with_jobs"] == 1
        assert result_of(agent.answer()) == HResult.ZERO
        agent.must(Opnum.AbortShadowCopySet, set_id)


@pytest.mark.parametrize("seconds", MONTH)
def test_a_client_that_is_gone_loses_its_set_all_the_same(clock: Clock, seconds: int) -> None:
    clock.nas.samba.set_option("fss:sequence timeout", "8")
    clock.nas.daemon.ctl("reload-config")
    with RawAgent(clock.nas) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        clock.jump(seconds)
        assert statuses(clock) == ["Added"]
    wait_until("its set is gone", lambda: statuses(clock) == [])
    clock.nas.samba.set_option("fss:sequence timeout", None)
    clock.nas.daemon.ctl("reload-config")


@pytest.mark.parametrize("seconds", MONTH)
def test_complete_sets_stay_and_the_jump_is_said(clock: Clock, seconds: int) -> None:
    with RawAgent(clock.nas) as agent:
        recovered(agent)
    clock.limit_ages()
    before = len(said_jumps(clock))
    clock.jump(seconds)
    clock.limit_ages()
    clock.jump(0)
    clock.limit_ages()
    way, back = ("forward", "back") if seconds > 0 else ("back", "forward")
    assert said_jumps(clock)[before:] == [f"{way} {30 * DAY} s", f"{back} {30 * DAY} s"]
    assert statuses(clock) == ["Recovered"]


@pytest.mark.parametrize("seconds", MONTH)
def test_sets_of_an_earlier_boot_stay_while_the_clock_is_wrong(clock: Clock, seconds: int) -> None:
    """A server without a clock battery boots with a random date until NTP corrects it."""
    nas = clock.nas
    nas.samba.set_option("fsrvpd:persistent max age", str(DAY))
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    another = nas.lab.directory / "boot_id"
    another.write_text("00000000-0000-4000-8000-000000000000\n")
    with RawAgent(nas) as agent:
        recovered(agent, context.CTX_APP_ROLLBACK)
    nas.daemon.stop()
    nas.lab.run(["mount", "--bind", another, boot_id])
    clock.jump(seconds)
    before = len(nas.daemon.read_log())
    clock.start_daemon()
    clock.limit_ages()
    assert statuses(clock) == ["Recovered"]
    said = nas.daemon.read_log()[before:]
    assert ("event=set-overdue" in said) == (seconds > 0)
    clock.jump(0)
    clock.limit_ages()
    assert statuses(clock) == ["Recovered"]
    nas.daemon.stop()
    nas.lab.unmount(boot_id)
    nas.samba.set_option("fsrvpd:persistent max age", None)
    clock.start_daemon()
