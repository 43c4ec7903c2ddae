"""Turn-taking: clients at two addresses, and a client that starts again and again."""

from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab.namespaces import wait_until
from tests.interop.nas import SECOND_ADDRESS, TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import BACKUP, SOME_GUID, RawAgent, wide

IN_PROGRESS = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
CONTEXT = struct.pack("<I", BACKUP)
RETRIES = 5  # note 5


class Clients(NamedTuple):
    nas: Nas
    one: RawAgent
    other: RawAgent

    def sets(self) -> dict[str, str]:
        """Return the Status of each client's set, by the client's address."""
        listed = self.nas.daemon.ask("list-sets")
        return {each["client"]: each["status"] for each in listed if each["status"] != "Removing"}


@pytest.fixture(params=["yes", "no"], scope="module")
def parallel(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "yes")


@pytest.fixture(scope="module")
def clients(parallel: bool) -> Iterator[Clients]:
    options = {"fsrvpd:parallel sets": "yes" if parallel else "no"}
    with open_nas(options) as nas, RawAgent(nas) as one, second(nas) as other:
        yield Clients(nas, one, other)


def second(nas: Nas) -> RawAgent:
    return RawAgent(nas, address=SECOND_ADDRESS)


def abort(agent: RawAgent, set_id: bytes) -> None:
    agent.must(Opnum.AbortShadowCopySet, set_id)


@pytest.mark.spec("3.1.4.2-2")
@pytest.mark.spec("3.1.4.2-3")
@pytest.mark.spec("3.1.4.3-2")
def test_a_second_client_while_a_set_is_made(clients: Clients, parallel: bool) -> None:
    mine = clients.one.start()
    if parallel:
        theirs = clients.other.start()
        assert set(clients.sets()) == {"127.0.0.1", SECOND_ADDRESS}
        clients.one.add(mine, TORTURE_SHARE)
        clients.other.add(theirs, TORTURE_SHARE)
        clients.one.expose(mine)
        clients.other.expose(theirs)
        abort(clients.other, theirs)
    else:
        for _ in range(2):
            assert clients.other.result(Opnum.SetContext, CONTEXT) == IN_PROGRESS
        assert clients.other.result(Opnum.StartShadowCopySet, SOME_GUID) == IN_PROGRESS
        clients.one.add(mine, TORTURE_SHARE)
        clients.one.expose(mine)
        assert clients.other.result(Opnum.SetContext, CONTEXT) == IN_PROGRESS
    assert clients.sets() == {"127.0.0.1": "Exposed"}
    abort(clients.one, mine)
    clients.nas.assert_nothing_is_left()


def test_the_next_client_as_soon_as_the_set_is_complete(clients: Clients) -> None:
    mine = clients.one.start()
    copy_id = clients.one.add(mine, TORTURE_SHARE)
    clients.one.expose(mine)
    clients.one.advance(Opnum.RecoveryCompleteShadowCopySet, mine)
    theirs = clients.other.start()
    abort(clients.other, theirs)
    clients.one.delete(mine, copy_id, TORTURE_SHARE)
    clients.nas.assert_nothing_is_left()


@pytest.mark.spec("3.1.4.2-4")
@pytest.mark.spec("3.1.4.2-6")
def test_the_same_client_takes_over_until_its_retries_are_used_up(clients: Clients) -> None:
    """Each time the share and the snapshot that it had made are removed."""
    for _ in range(RETRIES + 1):
        set_id = clients.one.start()
        clients.one.add(set_id, TORTURE_SHARE)
        clients.one.expose(set_id)
        assert len(clients.nas.shadow_shares()) >= 1
    assert clients.one.result(Opnum.SetContext, CONTEXT) == IN_PROGRESS
    clients.nas.assert_nothing_is_left()
    again = clients.one.start()
    abort(clients.one, again)


@pytest.mark.spec("3.1.4-3")
def test_who_may_call_may_go_on_with_anothers_set(clients: Clients) -> None:
    mine = clients.one.start()
    clients.other.must(Opnum.AddToShadowCopySet, SOME_GUID + mine + wide(clients.other.unc("deep")))
    abort(clients.other, mine)
    assert clients.one.result(Opnum.StartShadowCopySet, SOME_GUID) == HResult.FSRVP_E_BAD_STATE


@pytest.mark.spec("3.1.5-2")
def test_a_silent_client_is_in_nobodys_way_once_its_timer_elapsed() -> None:
    options = {"fsrvpd:parallel sets": "no", "fss:sequence timeout": "2"}
    with open_nas(options) as nas, second(nas) as other:
        with RawAgent(nas) as silent:
            set_id = silent.start()
            silent.add(set_id, TORTURE_SHARE)
            silent.expose(set_id)
        wait_until(
            "the context is free", lambda: other.result(Opnum.SetContext, CONTEXT) != IN_PROGRESS
        )
        other.must(Opnum.StartShadowCopySet, SOME_GUID)
        wait_until("the silent client's set is gone", lambda: nas.shadow_shares() == [])
        nas.assert_nothing_is_left()
