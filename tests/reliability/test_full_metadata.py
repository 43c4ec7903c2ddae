"""btrfs with room for data and none for metadata, where `df` looks well and nothing can be made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum, parse_guid
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import RawAgent
from tests.interop.site import make_directory
from tests.reliability import truths
from tests.reliability.bed import Bed, assert_in_order
from tests.reliability.test_faults import added, call_now
from tests.reliability.walk.journey import WRITABLE

SHARE = "crowded"
SIZE = 128 << 20
# All space is given to data, then metadata gets what is left of its own.
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
    bed: Bed
    volume: Path

    def fill(self) -> None:
        many = make_directory(self.bed.site.lab, self.volume / "many")
        self.bed.site.lab.run([sys.executable, "-c", FILL, self.volume, many])
        refused = self.bed.site.lab.run(["mkdir", many / "one more"], check=False)
        assert "No space left on device" in refused.stderr


@pytest.fixture
def crowded(bed: Bed) -> Iterator[Crowded]:
    lab, samba = bed.site.lab, bed.site.samba
    volume = lab.volume("btrfs", "crowded", SIZE, ["--metadata", "single"])
    share = make_directory(lab, volume / "share")
    (lab.seen(share) / "old.txt").write_text("old\n")
    samba.net("conf", "addshare", SHARE, str(share), "writeable=y")
    site = bed.site._replace(volumes={**bed.site.volumes, "crowded": volume})
    bed.daemon.start()
    yield Crowded(Bed(site, bed.daemon), volume)
    assert bed.daemon.ask("list-sets") == []
    assert_in_order(Bed(site, bed.daemon))
    bed.daemon.stop()
    samba.net("conf", "delshare", SHARE)
    lab.unmount(volume)
    lab.run(["rmdir", volume])
    (lab.directory / "crowded.img").unlink()


def copy_of(crowded: Crowded) -> str:
    [found] = crowded.bed.daemon.ask("list-sets")
    return str(found["copies"][0]["copy"])


def test_no_snapshot_is_taken_and_nothing_is_left_of_it(crowded: Crowded) -> None:
    with RawAgent(crowded.bed.site) as agent:
        set_id = added(agent, SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        crowded.fill()
        result = call_now(agent, Opnum.CommitShadowCopySet, set_id)
        assert result == HResult.VSS_E_INSUFFICIENT_STORAGE
        assert truths.read(crowded.bed.site).snapshots == frozenset()
        agent.must(Opnum.AbortShadowCopySet, set_id)
    log = crowded.bed.daemon.read_log()
    assert f"{crowded.volume}/.fsrvpd" in log
    assert "`btrfs filesystem usage`" in log


def test_what_stands_is_served_and_goes(crowded: Crowded) -> None:
    """All that follows the commit, to the deletion: with that an admin gets space again."""
    with RawAgent(crowded.bed.site) as agent:
        set_id = agent.start(WRITABLE)
        agent.add(set_id, SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.advance(Opnum.CommitShadowCopySet, set_id)
        crowded.fill()
        crowded.bed.daemon.kill()
        crowded.bed.daemon.start()
    with RawAgent(crowded.bed.site) as agent:
        agent.advance(Opnum.ExposeShadowCopySet, set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        copy = copy_of(crowded)
        name = agent.mapping(set_id, parse_guid(copy), SHARE).share
        assert agent.read(name, "old.txt") == b"old\n"
        assert not agent.may_write(name)
        agent.delete(set_id, parse_guid(copy), SHARE)
