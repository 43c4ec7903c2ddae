"""`samba_hooks.ctdb` against the real ctdbd: what it promises, and what the fence rests on."""

from __future__ import annotations

import select
import struct
from pathlib import Path
from typing import Callable, Iterator

import pytest

from fsrvpd.protocol.cluster import SEQUENCE_NUMBER, Record
from lab import Cluster
from lab.cluster import Node
from lab.namespaces import wait_until
from samba_hooks.ctdb import packets
from samba_hooks.ctdb.connection import CtdbConnection, Done
from samba_hooks.ctdb.packets import Answer, Opcode

DATABASE = "fsrvpd_contract.tdb"
SRVID = 0xF5FD000000000001
TIMEOUT = 30_000  # ms


class Client:
    """A connection to one node's ctdbd, and what it was told."""

    def __init__(self, node: Node) -> None:
        self.told: list[tuple[int, bytes]] = []
        socket = node.seen(Path("/run/ctdb/ctdbd.socket"))
        self.connection = CtdbConnection(str(socket), lambda *told: self.told.append(told))

    def ask(self, start: Callable[[Done], None]) -> Answer:
        answers: list[Answer] = []
        start(answers.append)
        while not answers:
            self.wait()
        return answers[0]

    def wait(self) -> None:
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        assert poll.poll(TIMEOUT), "ctdbd does not answer"
        self.connection.ready()

    def commit(self, database: int, rsn: int, value: bytes) -> Answer:
        sequence = Record(rsn, struct.pack("<Q", rsn))
        records = {b"leader": Record(rsn, value), SEQUENCE_NUMBER: sequence}
        return self.ask(lambda done: self.connection.commit(database, 0, records, done))


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    made = Client(cluster.nodes[0])
    yield made
    made.connection.close()


def test_it_says_who_and_where(cluster: Cluster, client: Client) -> None:
    connection = client.connection
    number = client.ask(lambda done: connection.control(Opcode.GET_PNN, done))
    assert packets.pnn(number) == 0
    found = client.ask(lambda done: connection.control(Opcode.GET_NODEMAP, done))
    assert packets.nodes(found) == {0: 0, 1: 0, 2: 0}
    lock = client.ask(lambda done: connection.control(Opcode.GET_RECLOCK_FILE, done))
    assert packets.cluster_lock(lock) == str(cluster.volume / "cluster.lock")
    mode = client.ask(lambda done: connection.control(Opcode.GET_RECMODE, done))
    assert not packets.is_recovering(mode)


def test_a_transaction_is_on_all_nodes_and_a_late_writer_is_refused(
    cluster: Cluster, client: Client
) -> None:
    database = packets.database_id(
        client.ask(lambda done: client.connection.attach(DATABASE, done))
    )
    assert f"name:{DATABASE} " in client_map(cluster)
    assert client.commit(database, 5, b"first").status == 0
    assert client.commit(database, 6, b"second").status == 0
    for node in cluster.nodes:
        assert '"second"' in node.ctdb("catdb", DATABASE).stdout
    late = client.commit(database, 6, b"third")
    assert late.status != 0
    wait_until("the recovery is over", cluster.is_healthy)
    for node in cluster.nodes:
        assert '"second"' in node.ctdb("catdb", DATABASE).stdout


def test_a_replicated_database_is_written_like_a_persistent_one(
    cluster: Cluster, client: Client
) -> None:
    name = "fsrvpd_contract_life.tdb"
    attached = client.ask(lambda done: client.connection.attach_replicated(name, done))
    database = packets.database_id(attached)
    assert client.commit(database, 1, b"first").status == 0
    for node in cluster.nodes:
        assert f"name:{name} " in node.ctdb("getdbmap").stdout
        assert '"first"' in node.ctdb("catdb", name).stdout
    where = client.ask(lambda done: client.connection.database_path(database, done))
    assert packets.path(where) == f"/var/lib/ctdb/volatile/{name}.0"


def client_map(cluster: Cluster) -> str:
    [line] = [
        each for each in cluster.nodes[2].ctdb("getdbmap").stdout.splitlines() if DATABASE in each
    ]
    assert "PERSISTENT" in line
    return line


def test_messages_and_last_words_reach_another_node(cluster: Cluster, client: Client) -> None:
    other = Client(cluster.nodes[1])
    assert other.ask(lambda done: other.connection.listen(SRVID, done)).status == 0
    client.connection.message(1, SRVID, b"here")
    words = client.ask(lambda done: client.connection.leave_words(SRVID, b"gone", done))
    assert words.status == 0
    client.connection.close()
    while len(other.told) < 2:
        other.wait()
    assert other.told == [(SRVID, b"here"), (SRVID, b"gone")]
    other.connection.close()
