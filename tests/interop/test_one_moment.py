"""The snapshots of a set are taken side by side; how far apart they came is kept and told."""

from __future__ import annotations

import re

from fsrvpd.core.messages import Opnum
from tests.interop.raw_agent import RawAgent
from tests.interop.site import TORTURE_SHARE, Site

SHARES = (TORTURE_SHARE, "deep", "vault")  # btrfs, btrfs and XFS
COMMIT = re.compile(r"commit set=(\S+) snapshots=(\d+) ms=[\d.]+ spread_ms=([\d.]+)")


def test_the_spread_is_logged_and_told(site: Site) -> None:
    with RawAgent(site) as agent:
        set_id = agent.start()
        ids = {share: agent.add(set_id, share) for share in SHARES}
        agent.expose(set_id)
        agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        [(logged_set, number, logged)] = COMMIT.findall(site.daemon.read_log())
        [told] = site.daemon.ask("list-sets")
        assert (told["set"], len(SHARES)) == (logged_set, int(number))
        assert f"{told['spread_ms']:.1f}" == logged
        assert told["spread_ms"] > 0
        site.daemon.restart()
        assert site.daemon.ask("list-sets")[0]["spread_ms"] == told["spread_ms"]
    with RawAgent(site) as agent:
        for share, copy_id in ids.items():
            agent.delete(set_id, copy_id, share)
    site.assert_nothing_is_left()
