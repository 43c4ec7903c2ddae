"""Clusters for all tests of the folder: it takes half a minute until one is healthy."""

from __future__ import annotations

import contextlib
import itertools
from typing import Iterator, NamedTuple

import pytest

from lab import Cluster, FsrvpdProcess
from tests.cluster.ctdbds import TUNABLES, Nodes, Start, wait_for_health
from tests.cluster.store_agent import StoreAgent

_names = (f"fsrvpd_store_{number}.tdb" for number in itertools.count())
OPTIONS = {"fsrvpd:require rpc integrity": "no"}  # rpcclient does not sign


class Agents(NamedTuple):
    """fsrvpd on every node."""

    cluster: Cluster
    daemons: list[FsrvpdProcess]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as opened:
        opened.start(OPTIONS)
        yield opened


@pytest.fixture(scope="module")
def agents(cluster: Cluster) -> Iterator[Agents]:
    daemons = [FsrvpdProcess(node, node.samba) for node in cluster.nodes]
    for daemon in daemons:
        daemon.start()
    yield Agents(cluster, daemons)
    for daemon in daemons:
        daemon.stop()


@pytest.fixture(scope="session")
def ctdb() -> Iterator[Cluster]:
    """Another one than all tests of the folder have: here ctdbd is killed, and smbd with it."""
    with Cluster() as made:
        for node in made.nodes:
            (node.disk / "etc/ctdb/ctdb.tunables").write_text(TUNABLES)
            node.start_ctdbd()
        wait_for_health(made)
        yield made


@pytest.fixture
def nodes(ctdb: Cluster) -> Nodes:
    number = int(ctdb.nodes[0].ctdb("leader").stdout)
    first, third = (node for node in ctdb.nodes if node.number != number)
    return Nodes(first, ctdb.nodes[number], third)


@pytest.fixture
def start(ctdb: Cluster) -> Iterator[Start]:
    """Starts an agent on a node, all of them on one database that is new."""
    name = next(_names)
    with contextlib.ExitStack() as ends:
        yield lambda node: ends.enter_context(contextlib.closing(StoreAgent(node, name)))
    wait_for_health(ctdb)
