"""The requestor's benchmarks against real servers, one round each: they go on working."""

from __future__ import annotations

import pytest

from benchmarks import requestor, skew, writers

pytestmark = [pytest.mark.root, pytest.mark.samba]


def test_two_servers_commit_side_by_side() -> None:
    [commit] = skew.measure(1)
    assert 0 <= commit.skew <= commit.window


def test_three_clients_create_sets_in_turns() -> None:
    found = requestor.measure(1)
    assert {name: len(creates) for name, creates in found.items()} == {
        "ours": 1,
        "impacket": 1,
        "rpcclient": 1,
    }
    assert all(each.round_trips > 10 for creates in found.values() for each in creates)


def test_databases_hold_still_for_less_than_the_limit() -> None:
    found = writers.measure(1)
    assert len(found) == 3
    assert all(
        0 < each.freeze + each.median <= each.worst + each.freeze < 10_000
        for each in found.values()
    )
