"""Hosts are asked about their shares, once each, and left if they own none."""

from __future__ import annotations

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.sets.asking import ask
from tests.unit.requestor.memory import MISSING, unc
from tests.unit.requestor.world import SHARES, World


@pytest.fixture
def world() -> World:
    return World()


def test_each_host_is_asked_over_one_connection(world: World) -> None:
    roots = world.names.resolve_set([*SHARES, unc("NAS", "d")])
    found = ask(world.connector, world.names, roots)
    assert [(each.contacted, each.owner) for each in found] == [("nas", None), ("fs2", None)]
    assert [[root.share for root in each.roots] for each in found] == [["a", "b", "d"], ["c"]]
    assert world.nas.calls == [Opnum.IsPathSupported] * 3
    assert world.nas.connections == world.fs2.connections == 1


def test_an_owner_that_was_asked_for_shares_of_its_own_is_one_part(world: World) -> None:
    world.nas.settings = world.nas.settings._replace(owner_machine_name="node7")
    world.nas.agent.configure(world.nas.settings)
    world.names.owners["node7"] = "FS2"
    [found] = ask(world.connector, world.names, world.names.resolve_set(SHARES))
    assert sorted(root.share for root in found.roots) == ["a", "b", "c"]
    assert world.nas.open_connections == 0
    assert world.fs2.open_connections == 1


def test_if_one_host_refuses_all_are_left(world: World) -> None:
    roots = world.names.resolve_set([SHARES[0], unc("fs2", MISSING)])
    with pytest.raises(RequestorError):
        ask(world.connector, world.names, roots)
    assert world.nas.open_connections == world.fs2.open_connections == 0
