"""fsrvpd on every node of a cluster: all of them start, and each serves its clients."""

from __future__ import annotations

import json

from lab import fss
from tests.cluster.conftest import Agents


def test_all_start_and_serve(agents: Agents) -> None:
    cluster = agents.cluster
    for node, daemon in zip(cluster.nodes, agents.daemons):
        name = f"from-node-{node.number}.txt"
        (cluster.lab.seen(cluster.data) / name).write_text(f"{node.number}\n")
        (copy,) = fss.create_expose(node.samba, "data")
        assert cluster.read(node.address, copy.share, name) == f"{node.number}\n"
        fss.recovery_complete(node.samba, copy)
        fss.delete(node.samba, copy)
        assert daemon.calls()[-1].method == "DeleteShareMapping"


def test_prune_leaves_what_another_node_has_exposed(agents: Agents) -> None:
    cluster, (first, second, _) = agents.cluster, agents.daemons
    (cluster.lab.seen(cluster.data) / "kept.txt").write_text("of node 0\n")
    (copy,) = fss.create_expose(cluster.nodes[0].samba, "data")
    fss.recovery_complete(cluster.nodes[0].samba, copy)
    second.ctl("prune")
    second.restart()
    second.ctl("prune")
    assert cluster.read(cluster.nodes[0].address, copy.share, "kept.txt") == "of node 0\n"
    assert "event=orphan-removed" not in second.read_log()
    assert [each["status"] for each in first.ask("list-sets")] == ["Recovered"]
    first.ctl("prune")
    assert cluster.read(cluster.nodes[0].address, copy.share, "kept.txt") == "of node 0\n"
    fss.delete(cluster.nodes[0].samba, copy)


def test_doctor_finds_a_cluster_that_is_well(agents: Agents) -> None:
    for node, daemon in zip(agents.cluster.nodes, agents.daemons):
        done = daemon.command("doctor", "--no-self-test", "--json")
        found = {each["topic"]: each for each in json.loads(done.stdout)}
        assert found["cluster"]["text"] == f"this is node {node.number} of 3, all are well"
        assert found["cluster lock"]["text"] == str(agents.cluster.volume / "cluster.lock")
        assert found["CTDB's space"]["severity"] == "ok"
        assert found["other nodes"]["severity"] == "note"
