"""Somebody sets the server's clock, by a month, while the daemon and its sets are at work.

The daemon and its registry worker are lied to when they ask for the wall clock (see
shifted_clock.c); the monotonic one, which nobody can set, stays the kernel's.
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
from tests.interop.raw_agent import RawAgent, result_of
from tests.interop.site import TORTURE_SHARE, Site, open_site
from tests.lab.frozen import frozen
from tests.lab.namespaces import wait_until

DAY = 86_400
SOURCE = Path(__file__).with_name("shifted_clock.c")
MONTH = [30 * DAY, -30 * DAY]


class Clock(NamedTuple):
    site: Site
    shift: mmap.mmap

    def jump(self, seconds: int) -> None:
        """From what the kernel says to so far from it."""
        self.shift[:] = seconds.to_bytes(8, sys.byteorder, signed=True)

    def start_daemon(self) -> None:
        folder = self.site.lab.directory
        lie = [f"LD_PRELOAD={folder}/clock.so", f"SHIFTED_CLOCK={folder}/clock"]
        self.site.daemon.start(before=["env", *lie])

    def heed_ages(self) -> None:
        """Have the daemon look at the ages of its sets, which it does before it hears more."""
        self.site.daemon.ctl("reload-config")
        self.site.daemon.ask("status")


@pytest.fixture(scope="module")
def shifted() -> Iterator[Clock]:
    with open_site() as site:
        site.daemon.stop()
        folder = site.lab.directory
        (folder / "clock").write_bytes(bytes(8))
        built = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2"]
        site.lab.run([*built, "-o", folder / "clock.so", SOURCE])
        with (folder / "clock").open("r+b") as file, mmap.mmap(file.fileno(), 8) as shift:
            clock = Clock(site, shift)
            clock.start_daemon()
            yield clock


@pytest.fixture
def clock(shifted: Clock) -> Iterator[Clock]:
    yield shifted
    shifted.jump(0)
    for each in shifted.site.daemon.ask("list-sets"):
        shifted.site.daemon.ctl("delete-set", each["set"])
    shifted.site.assert_nothing_is_left()


def recovered(agent: RawAgent, value: int = context.CTX_BACKUP) -> bytes:
    set_id = agent.start(value)
    agent.add(set_id, TORTURE_SHARE)
    agent.expose(set_id)
    agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
    return set_id


def statuses(clock: Clock) -> list[str]:
    return [each["status"] for each in clock.site.daemon.ask("list-sets")]


def said_jumps(clock: Clock) -> list[str]:
    return re.findall(r"the clock went (\d+ s \w+)", clock.site.daemon.read_log())


@pytest.mark.parametrize("seconds", MONTH)
def test_a_set_in_creation_goes_on(clock: Clock, seconds: int) -> None:
    """Between all steps, to the end; its second snapshot differs in its label."""
    with RawAgent(clock.site) as agent:
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
    clock.site.daemon.stop()
    clock.start_daemon()
    assert statuses(clock) == ["Recovered"] * 3


@pytest.mark.parametrize("seconds", MONTH)
def test_a_call_under_way_keeps_its_time_out(clock: Clock, seconds: int) -> None:
    with RawAgent(clock.site) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        with frozen(clock.site.lab, clock.site.volumes["data"]):
            agent.begin(Opnum.CommitShadowCopySet, set_id + struct.pack("<I", 60_000))
            wait_until("it commits", lambda: clock.site.daemon.ask("status")["sets_at_work"] == 1)
            clock.jump(seconds)
            assert clock.site.daemon.ask("status")["sets_at_work"] == 1
        assert result_of(agent.answer()) == HResult.ZERO
        agent.must(Opnum.AbortShadowCopySet, set_id)


@pytest.mark.parametrize("seconds", MONTH)
def test_a_client_that_is_gone_loses_its_set_all_the_same(clock: Clock, seconds: int) -> None:
    clock.site.samba.set_option("fss:sequence timeout", "2")
    clock.site.daemon.ctl("reload-config")
    with RawAgent(clock.site) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        clock.jump(seconds)
        assert statuses(clock) == ["Added"]
    wait_until("its set is gone", lambda: statuses(clock) == [])
    clock.site.samba.set_option("fss:sequence timeout", None)
    clock.site.daemon.ctl("reload-config")


@pytest.mark.parametrize("seconds", MONTH)
def test_complete_sets_stay_and_the_jump_is_said(clock: Clock, seconds: int) -> None:
    with RawAgent(clock.site) as agent:
        recovered(agent)
    clock.heed_ages()
    before = len(said_jumps(clock))
    clock.jump(seconds)
    clock.heed_ages()
    clock.jump(0)
    clock.heed_ages()
    way, back = ("forward", "back") if seconds > 0 else ("back", "forward")
    assert said_jumps(clock)[before:] == [f"{30 * DAY} s {way}", f"{30 * DAY} s {back}"]
    assert statuses(clock) == ["Recovered"]


@pytest.mark.parametrize("seconds", MONTH)
def test_sets_of_an_earlier_boot_stay_while_the_clock_is_wrong(clock: Clock, seconds: int) -> None:
    """A server without a battery boots with any date, until it has asked for the right one."""
    site = clock.site
    site.samba.set_option("fsrvpd:persistent max age", str(DAY))
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    another = site.lab.directory / "boot_id"
    another.write_text("00000000-0000-4000-8000-000000000000\n")
    with RawAgent(site) as agent:
        recovered(agent, context.CTX_APP_ROLLBACK)
    site.daemon.stop()
    site.lab.run(["mount", "--bind", another, boot_id])
    clock.jump(seconds)
    before = len(site.daemon.read_log())
    clock.start_daemon()
    clock.heed_ages()
    assert statuses(clock) == ["Recovered"]
    said = site.daemon.read_log()[before:]
    assert ("event=set-overdue" in said) == (seconds > 0)
    clock.jump(0)
    clock.heed_ages()
    assert statuses(clock) == ["Recovered"]
    site.daemon.stop()
    site.lab.unmount(boot_id)
    site.samba.set_option("fsrvpd:persistent max age", None)
    clock.start_daemon()
