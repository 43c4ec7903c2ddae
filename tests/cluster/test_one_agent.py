"""fsrvpd on every node as one agent: one leads, the others pass their clients' calls on to it."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

import pytest

from lab import Cluster, FsrvpdProcess, fss
from lab.cluster import Node
from lab.namespaces import wait_until
from tests.cluster.conftest import OPTIONS

LEADS = re.compile(r"event=leads term=(\d+) node=(\d+)")


def mounts_of_copies(node: Node) -> list[str]:
    """Where users reach copies, by the mount table of a node."""
    table = node.run(["cat", "/proc/self/mounts"]).stdout.splitlines()
    places = [line.split()[1] for line in table]
    return sorted(place for place in places if "/copies/" in place)


class OneAgent(NamedTuple):
    cluster: Cluster
    daemons: list[FsrvpdProcess]

    def terms(self) -> dict[int, int]:
        """Every term that anybody has led, with its node."""
        found: dict[int, int] = {}
        for daemon in self.daemons:
            for line in LEADS.finditer(daemon.read_log()):
                term, node = int(line[1]), int(line[2])
                assert term not in found, "two have led in one term"
                found[term] = node
        return found

    def leader(self) -> int:
        terms = self.terms()
        return terms[max(terms)] if terms else -1

    def doors(self) -> list[Node]:
        return [node for node in self.cluster.nodes if node.number != self.leader()]

    def is_settled(self) -> bool:
        """Whether each node says last that it leads, or whom it follows."""
        leader, term = self.leader(), max(self.terms(), default=0)
        for number, daemon in enumerate(self.daemons):
            said = re.findall(r"event=(leads|follows|no-leader|superseded)(.*)", daemon.read_log())
            wanted = "leads" if number == leader else "follows"
            if not said or said[-1][0] != wanted or f"term={term} " not in said[-1][1] + " ":
                return False
        return leader >= 0


@pytest.fixture(scope="module")
def agent(cluster: Cluster) -> Iterator[OneAgent]:
    options = {**OPTIONS, "fsrvpd:one agent": "yes"}
    daemons = [FsrvpdProcess(node, node.samba, options) for node in cluster.nodes]
    for daemon in daemons:
        daemon.start()
    made = OneAgent(cluster, daemons)
    wait_until("one leads and the others follow", made.is_settled)
    yield made
    for daemon in daemons:
        daemon.stop()


def test_calls_at_a_door_are_answered_by_the_leader(agent: OneAgent) -> None:
    assert list(agent.terms().values()) == [agent.leader()]
    for door in agent.doors():
        (copy,) = fss.create_expose(door.samba, "data")
        fss.recovery_complete(door.samba, copy)
        [listed] = agent.daemons[agent.leader()].ask("list-sets")
        assert listed["status"] == "Recovered"
        fss.delete(door.samba, copy)
        at_leader = [call.method for call in agent.daemons[agent.leader()].calls()]
        assert "CommitShadowCopySet" in at_leader
        assert at_leader[-1] == "DeleteShareMapping"


def test_each_step_of_a_set_at_another_node(agent: OneAgent) -> None:
    first, second, third = (node.samba for node in agent.cluster.nodes)
    (copy,) = fss.create_expose(first, "data")
    assert fss.get_mapping(second, copy) == copy
    fss.recovery_complete(third, copy)
    assert all(fss.has_shadow_copy(samba, "data") for samba in (first, second, third))
    fss.delete(second, copy)
    assert not any(fss.has_shadow_copy(samba, "data") for samba in (first, second, third))


def test_a_copy_is_read_through_every_node(agent: OneAgent) -> None:
    cluster = agent.cluster
    (cluster.lab.seen(cluster.data) / "everywhere.txt").write_text("as it was\n")
    (copy,) = fss.create_expose(agent.doors()[0].samba, "data")
    (cluster.lab.seen(cluster.data) / "everywhere.txt").write_text("changed\n")
    for node in cluster.nodes:
        assert cluster.read(node.address, copy.share, "everywhere.txt") == "as it was\n"
    fss.recovery_complete(agent.doors()[1].samba, copy)
    for node in cluster.nodes:
        assert cluster.read(node.address, copy.share, "everywhere.txt") == "as it was\n"
    fss.delete(agent.doors()[0].samba, copy)
    assert [mounts_of_copies(node) for node in cluster.nodes] == [[], [], []]


def test_an_agent_that_comes_back_has_the_mounts_that_it_missed(agent: OneAgent) -> None:
    door = agent.doors()[0]
    daemon = agent.daemons[door.number]
    (gone,) = fss.create_expose(door.samba, "data")
    daemon.stop()
    (copy,) = fss.create_expose(agent.doors()[1].samba, "data")
    fss.delete(agent.doors()[1].samba, gone)
    assert len(mounts_of_copies(door)) == 1  # of the set that is gone
    daemon.start()
    wait_until(
        "it has the mount of the other set",
        lambda: mounts_of_copies(door) == mounts_of_copies(agent.cluster.nodes[agent.leader()]),
    )
    assert len(mounts_of_copies(door)) == 1
    fss.recovery_complete(door.samba, copy)
    fss.delete(door.samba, copy)


def test_kill_of_the_leader_loses_no_set(agent: OneAgent) -> None:
    before = agent.leader()
    (copy,) = fss.create_expose(agent.doors()[0].samba, "data")
    fss.recovery_complete(agent.doors()[0].samba, copy)
    agent.daemons[before].kill()
    wait_until("another one leads", lambda: agent.leader() != before)
    agent.daemons[before].start()
    wait_until("one leads and the others follow", agent.is_settled)
    assert agent.leader() != before
    returned = agent.cluster.nodes[before]
    assert fss.has_shadow_copy(returned.samba, "data")
    [listed] = agent.daemons[agent.leader()].ask("list-sets")
    assert listed["status"] == "Recovered"
    fss.delete(returned.samba, copy)
    assert agent.daemons[agent.leader()].ask("list-sets") == []


def test_a_leader_that_was_stopped_comes_back_as_a_door(agent: OneAgent) -> None:
    before = agent.leader()
    daemon = agent.daemons[before]
    pid = daemon.pid
    door = agent.doors()[0]
    daemon.suspend()
    try:
        # The next leader answers. rpcclient alone would give up after 10 s.
        asked = door.samba.rpcclient('timeout 60000;fss_has_shadow_copy "data"')
        assert "does not have an associated shadow-copy" in asked.stdout
        wait_until("another one leads", lambda: agent.leader() != before)
        (copy,) = fss.create_expose(agent.cluster.nodes[agent.leader()].samba, "data")
    finally:
        daemon.resume()
    wait_until("one leads and the others follow", agent.is_settled)
    assert agent.leader() != before
    assert daemon.pid == pid
    assert "event=superseded" in daemon.read_log()
    fss.recovery_complete(agent.cluster.nodes[before].samba, copy)
    fss.delete(agent.cluster.nodes[before].samba, copy)


def test_a_disabled_node_goes_on_leading(agent: OneAgent) -> None:
    before, terms = agent.leader(), agent.terms()
    node = agent.cluster.nodes[before]
    node.ctdb("disable")
    try:
        (copy,) = fss.create_expose(agent.doors()[0].samba, "data")
        fss.recovery_complete(agent.doors()[0].samba, copy)
        fss.delete(agent.doors()[0].samba, copy)
    finally:
        node.ctdb("enable")
    wait_until("all nodes are healthy", agent.cluster.is_healthy)
    assert agent.terms() == terms


def test_a_leader_whose_node_is_stopped_returns_as_a_door(agent: OneAgent) -> None:
    before = agent.leader()
    node = agent.cluster.nodes[before]
    pid = agent.daemons[before].pid
    node.ctdb("stop")
    try:
        wait_until("another one leads", lambda: agent.leader() != before, 60)
    finally:
        node.ctdb("continue")
    wait_until("all nodes are healthy", agent.cluster.is_healthy, 120)
    wait_until("one leads and the others follow", agent.is_settled, 60)
    assert agent.leader() != before
    assert agent.daemons[before].pid == pid
    (copy,) = fss.create_expose(node.samba, "data")
    fss.recovery_complete(node.samba, copy)
    fss.delete(node.samba, copy)


def test_a_door_whose_node_is_stopped_refuses_until_it_is_back(agent: OneAgent) -> None:
    terms, door = agent.terms(), agent.doors()[0]
    daemon = agent.daemons[door.number]
    before = daemon.read_log().count("event=outside-cluster")
    door.ctdb("stop")
    try:
        wait_until(
            "the node refuses",
            lambda: daemon.read_log().count("event=outside-cluster") > before,
            60,
        )
    finally:
        door.ctdb("continue")
    wait_until("all nodes are healthy", agent.cluster.is_healthy, 120)
    wait_until("one leads and the others follow", agent.is_settled, 60)
    assert agent.terms() == terms
    assert "this node does not lead" in daemon.ctl("list-sets", check=False).stderr


def test_a_leader_whose_ctdbd_is_killed_returns_as_a_door(agent: OneAgent) -> None:
    before = agent.leader()
    node = agent.cluster.nodes[before]
    node.kill_ctdbd()
    wait_until("another one leads", lambda: agent.leader() != before, 60)
    node.start_ctdbd()
    wait_until("all nodes are healthy", agent.cluster.is_healthy, 120)
    node.samba.stop()  # it has ended with ctdbd
    node.samba.start()
    wait_until("one leads and the others follow", agent.is_settled, 60)
    assert agent.leader() != before
    (copy,) = fss.create_expose(node.samba, "data")
    fss.recovery_complete(node.samba, copy)
    fss.delete(node.samba, copy)


def test_a_leader_that_is_cut_off_returns_as_a_door(agent: OneAgent) -> None:
    """From CTDB's own leader, which has the cluster lock: the side with the lock goes on."""
    if str(agent.leader()) == agent.cluster.nodes[0].ctdb("leader").stdout.strip():
        agent.daemons[agent.leader()].restart()
        wait_until("one leads and the others follow", agent.is_settled)
    before = agent.leader()
    node = agent.cluster.nodes[before]
    (kept,) = fss.create_expose(node.samba, "data")
    fss.recovery_complete(node.samba, kept)
    node.run(["ip", "link", "set", "eth0", "down"])
    try:
        wait_until("another one leads", lambda: agent.leader() != before, 90)
        successor = agent.cluster.nodes[agent.leader()]
        (made,) = fss.create_expose(successor.samba, "data")
        fss.recovery_complete(successor.samba, made)
    finally:
        node.run(["ip", "link", "set", "eth0", "up"])
    wait_until("all nodes are healthy", agent.cluster.is_healthy, 120)
    wait_until("one leads and the others follow", agent.is_settled, 60)
    assert agent.leader() != before
    assert "event=superseded" in agent.daemons[before].read_log()
    for copy in (kept, made):
        fss.delete(successor.samba, copy)
    assert agent.daemons[agent.leader()].ask("list-sets") == []
