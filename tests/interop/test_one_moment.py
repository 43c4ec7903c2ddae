"""The snapshots of a set are taken in parallel; their skew is recorded and logged."""

from __future__ import annotations

import re

from fsrvpd.core.messages import Opnum
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.raw_agent import RawAgent

SHARES = (TORTURE_SHARE, "deep", "vault")  # btrfs, btrfs and XFS
COMMIT = re.compile(r"commit set=(\S+) snapshots=(\d+) ms=[\d.]+ snapshot_skew_ms=([\d.]+)")


def test_the_time_between_snapshots_is_logged_and_told(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        set_id = agent.start()
        ids = {share: agent.add(set_id, share) for share in SHARES}
        agent.expose(set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        [(logged_set, number, logged)] = COMMIT.findall(nas.daemon.read_log())
        [told] = nas.daemon.ask("list-sets")
        assert (told["set"], len(SHARES)) == (logged_set, int(number))
        assert f"{told['snapshot_skew_ms']:.1f}" == logged
        assert told["snapshot_skew_ms"] > 0
        nas.daemon.restart()
        assert nas.daemon.ask("list-sets")[0]["snapshot_skew_ms"] == told["snapshot_skew_ms"]
    with RawAgent(nas) as agent:
        for share, copy_id in ids.items():
            agent.delete(set_id, copy_id, share)
    nas.assert_nothing_is_left()
