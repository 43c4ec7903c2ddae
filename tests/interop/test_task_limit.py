"""At the limit of tasks, of which the daemon needs more than a few only for many at once."""

from __future__ import annotations

import time
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab import fss
from lab.task_limit import no_more_tasks
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import RawAgent, wide


@pytest.fixture
def fresh() -> Iterator[Nas]:
    """A daemon that no client has used yet: no thread was started for one."""
    with open_nas() as opened:
        yield opened


def test_whole_sets_are_made_at_the_limit(fresh: Nas) -> None:
    """One volume, then two at once. Every call is answered, and the daemon stays."""
    pid = fresh.daemon.ask("ping")["pid"]
    with RawAgent(fresh) as agent, no_more_tasks(fresh.daemon.pid):
        for shares in ([TORTURE_SHARE], [TORTURE_SHARE, "deep"]):
            began = time.monotonic()
            for share in shares:
                agent.must(Opnum.IsPathSupported, wide(agent.unc(share)))
            set_id = agent.start()
            copies = [agent.add(set_id, share) for share in shares]
            agent.expose(set_id)
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
            for copy_id, share in zip(copies, shares):
                agent.delete(set_id, copy_id, share)
            assert time.monotonic() - began < 20
        assert fresh.daemon.ask("prune") == []
        assert fresh.daemon.ask("check-path", TORTURE_SHARE)["supported"]
        assert fresh.daemon.ctl("reload-config", check=False).returncode in (0, 1)
    assert fresh.daemon.ask("ping")["pid"] == pid
    fresh.assert_nothing_is_left()


def test_many_at_once_wait_for_the_threads_that_there_are(fresh: Nas) -> None:
    agents = [RawAgent(fresh) for _ in range(12)]
    with no_more_tasks(fresh.daemon.pid):
        for agent in agents:
            agent.begin(Opnum.IsPathSupported, wide(agent.unc(TORTURE_SHARE)))
        assert {int.from_bytes(agent.answer()[-4:], "little") for agent in agents} == {0}
    for agent in agents:
        agent.__exit__(None, None, None)
    [copy] = fss.create_expose(fresh.samba, TORTURE_SHARE)
    fss.delete(fresh.samba, copy)


def test_an_owner_name_that_cannot_be_sent_is_an_error_of_its_call(fresh: Nas) -> None:
    """smb.conf may hold any bytes: the reload is refused, or the call is; the pipe stays."""
    conf = fresh.samba.conf
    fresh.samba.set_option("fsrvpd:owner name", "NAME")
    conf.write_bytes(conf.read_bytes().replace(b"NAME", b"\xff\xfe"))
    refused = fresh.daemon.ctl("reload-config", check=False)
    assert "fsrvpd:owner name" in refused.stderr
    with RawAgent(fresh) as agent:
        for _ in range(2):
            result = agent.result(Opnum.IsPathSupported, wide(agent.unc(TORTURE_SHARE)))
            assert result == HResult.ZERO
