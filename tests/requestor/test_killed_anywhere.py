"""kill -9 of the requestor before every call and during it: `clean` leaves nothing."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.requestor.file_servers import DIALECTS, Network, open_network
from tests.requestor.session import Session

# 8, 0, 1, 2, 3, 12, 4, 5, 10, 6, and of the deletion 0, 11.
CALLS = 12


@pytest.fixture(scope="module", params=DIALECTS)
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    with open_network(["data"], ["vault"], options=DIALECTS[request.param]) as opened:
        yield opened


@pytest.fixture(scope="module")
def session(network: Network) -> Iterator[Session]:
    session = Session(network.client)
    yield session
    session.close()


@pytest.mark.parametrize("sent", [False, True], ids=["before", "during"])
def test_clean_leaves_no_set_share_or_state(network: Network, session: Session, sent: bool) -> None:
    server = network.servers[0]
    for stop in range(CALLS):
        order = session.order("create", shares=[server.unc("data")], delete=True)
        for number, call in enumerate(order):
            if number == stop:
                session.die(sent=sent)
                where = call["call"]
        assert session.last == {"ended": -9}, where
        cleaned = session.do("clean", led=False)
        assert cleaned["left"] == [], where
        assert session.files() == [], where
        assert server.nas.snapshots() == [], where
    server.assert_nothing_is_left()


def test_every_call_was_reached(network: Network, session: Session) -> None:
    server = network.servers[0]
    order = session.order("create", shares=[server.unc("data")], delete=True)
    assert len(list(order)) == CALLS
    server.assert_nothing_is_left()
    assert session.files() == []


@pytest.mark.parametrize(("victim", "sent"), [(0, False), (1, True)], ids=["before", "during"])
def test_a_set_over_two_servers_is_gone_from_both(
    network: Network, session: Session, victim: int, sent: bool
) -> None:
    """The kill comes at each call to one server, wherever the other one is."""
    shares = [server.unc(share) for server, share in zip(network.servers, ("data", "vault"))]
    for stop in range(CALLS):
        number = 0
        for call in session.order("create", shares=shares, delete=True):
            if call["host"] == network.servers[victim].address:
                if number == stop:
                    session.die(sent=sent)
                number += 1
        assert session.last == {"ended": -9}, stop
        cleaned = session.do("clean", led=False)
        assert cleaned.get("left") == [], cleaned
        assert session.files() == [], stop
        for server in network.servers:
            assert server.nas.snapshots() == [], stop
    network.assert_nothing_is_left()
