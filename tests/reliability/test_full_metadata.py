"""btrfs with free space for data and none for metadata: `df` looks fine, but creating fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum, parse_guid
from fsrvpd.protocol.hresult import HResult
from tests.interop.nas import make_directory
from tests.interop.raw_agent import RawAgent
from tests.reliability import observed_state
from tests.reliability.fault_injection.client_session import WRITABLE
from tests.reliability.harness import Harness, assert_in_order
from tests.reliability.test_faults import added, call_now

SHARE = "crowded"
SIZE = 128 << 20
# Allocate all space to data, then fill what is left for metadata.
FILL = r"""
import errno, os, sys
volume, many = sys.argv[1:]
def until_full(make):
    for number in range(100_000):
        try:
            make(number)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return
    sys.exit("the volume does not fill")
def data(number):
    with open(f"{volume}/data.{number}", "xb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 20)
until_full(data)
until_full(lambda number: os.symlink("x" * 3900, f"{many}/{number}"))
until_full(lambda number: os.mkdir(f"{many}/{number}.d"))
os.unlink(f"{volume}/data.0")
os.sync()
"""


class Crowded(NamedTuple):
    harness: Harness
    volume: Path

    def fill(self) -> None:
        many = make_directory(self.harness.nas.lab, self.volume / "many")
        self.harness.nas.lab.run([sys.executable, "-c", FILL, self.volume, many])
        refused = self.harness.nas.lab.run(["mkdir", many / "one more"], check=False)
        assert "No space left on device" in refused.stderr


@pytest.fixture
def crowded(harness: Harness) -> Iterator[Crowded]:
    lab, samba = harness.nas.lab, harness.nas.samba
    volume = lab.volume("btrfs", "crowded", SIZE, ["--metadata", "single"])
    share = make_directory(lab, volume / "share")
    (lab.seen(share) / "old.txt").write_text("old\n")
    samba.net("conf", "addshare", SHARE, str(share), "writeable=y")
    nas = harness.nas._replace(volumes={**harness.nas.volumes, "crowded": volume})
    harness.daemon.start()
    yield Crowded(Harness(nas, harness.daemon), volume)
    assert harness.daemon.ask("list-sets") == []
    assert_in_order(Harness(nas, harness.daemon))
    harness.daemon.stop()
    samba.net("conf", "delshare", SHARE)
    lab.unmount(volume)
    lab.run(["rmdir", volume])
    (lab.directory / "crowded.img").unlink()


def copy_of(crowded: Crowded) -> str:
    [found] = crowded.harness.daemon.ask("list-sets")
    return str(found["copies"][0]["copy"])


def test_no_snapshot_is_taken_and_nothing_is_left_of_it(crowded: Crowded) -> None:
    with RawAgent(crowded.harness.nas) as agent:
        set_id = added(agent, SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        crowded.fill()
        result = call_now(agent, Opnum.CommitShadowCopySet, set_id)
        assert result == HResult.VSS_E_INSUFFICIENT_STORAGE
        assert observed_state.read(crowded.harness.nas).snapshots == frozenset()
        agent.must(Opnum.AbortShadowCopySet, set_id)
    log = crowded.harness.daemon.read_log()
    assert f"{crowded.volume}/.fsrvpd" in log
    assert "`btrfs filesystem usage`" in log


def test_what_stands_is_served_and_goes(crowded: Crowded) -> None:
    """Every step after the commit works, up to the deletion, which frees space again."""
    with RawAgent(crowded.harness.nas) as agent:
        set_id = agent.start(WRITABLE)
        agent.add(set_id, SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
        crowded.fill()
        crowded.harness.daemon.kill()
        crowded.harness.daemon.start()
    with RawAgent(crowded.harness.nas) as agent:
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        copy = copy_of(crowded)
        name = agent.mapping(set_id, parse_guid(copy), SHARE).share
        assert agent.read(name, "old.txt") == b"old\n"
        assert not agent.may_write(name)
        agent.delete(set_id, parse_guid(copy), SHARE)
    assert "not replaced by a read-only snapshot" in crowded.harness.daemon.read_log()
