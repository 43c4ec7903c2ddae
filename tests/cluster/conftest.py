"""One cluster for all tests of the folder: it takes half a minute until its nodes are healthy."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from lab import Cluster, FsrvpdProcess

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


@pytest.fixture(scope="session")
def agents(cluster: Cluster) -> Agents:
    daemons = [FsrvpdProcess(node, node.samba) for node in cluster.nodes]
    for daemon in daemons:
        daemon.start()
    return Agents(cluster, daemons)
