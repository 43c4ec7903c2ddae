"""Nodes whose ctdbd a test stops, kills and starts, and what agents see of it."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.cluster import SEQUENCE_NUMBER, Ballot, read_sequence
from lab import Cluster
from lab.cluster import Node
from lab.namespaces import wait_until
from tests.cluster.store_agent import TIMEOUT, StoreAgent

ONE, TWO = Guid(bytes(15) + b"\x01"), Guid(bytes(15) + b"\x02")
# A node that is silent is given up after 6 s in place of 25: later than an answer is believed.
TUNABLES = "KeepaliveInterval=2\nKeepaliveLimit=3\n"

Start = Callable[[Node], StoreAgent]


class Nodes(NamedTuple):
    """CTDB's own leader has the cluster lock: while it is stopped, nobody goes on."""

    first: Node
    leader: Node
    third: Node


def wait_for_health(cluster: Cluster) -> None:
    wait_until("all nodes are healthy", cluster.is_healthy, TIMEOUT)


def sequence(agent: StoreAgent) -> int:
    return read_sequence(agent.read(agent.database.read_all)[SEQUENCE_NUMBER])


@contextlib.contextmanager
def stopped(node: Node) -> Iterator[None]:
    """Its ctdbd answers nobody, and keeps all connections."""
    process = node.ctdbd
    assert process is not None
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if process.poll() is None:
            process.signal(signal.SIGCONT)
            process.resume()


def kill_ctdbd(node: Node) -> None:
    assert node.ctdbd is not None
    node.ctdbd.signal(signal.SIGKILL)
    node.ctdbd.resume()
    node.ctdbd.wait()


def start_ctdbd(node: Node) -> None:
    def is_gone() -> bool:
        running = (Path(argv[0]).name for argv in node.processes().values())
        return not any(name.startswith("ctdb") for name in running)

    wait_until("all of the one that was killed has ended", is_gone)
    node.start_ctdbd()


def wait_for_copy(agent: StoreAgent, key: Guid, document: str) -> None:
    agent.wait("the node has it", lambda: agent.load().get(key) == document)


def wait_for_holder(agent: StoreAgent, ballot: Optional[Ballot]) -> None:
    agent.wait("the node knows who may write", lambda: agent.store.holder() == ballot)
