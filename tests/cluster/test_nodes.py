"""The cluster itself: its nodes become healthy and serve one file, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import Cluster, leftovers
from lab.namespaces import wait_until

BUSY_CLUSTER = """
import sys
from lab import Cluster
from lab.namespaces import wait_until
with Cluster() as cluster:
    for node in cluster.nodes:
        node.start_ctdbd()
    answers = lambda: cluster.nodes[0].ctdb("pnn", check=False).returncode == 0
    wait_until("ctdbd answers", answers)
    print(cluster.lab.directory, *(node.ctdbd.pid for node in cluster.nodes), flush=True)
    sys.stdin.read()
"""


def test_every_node_serves_the_same_file(cluster: Cluster) -> None:
    (cluster.lab.seen(cluster.data) / "plan.txt").write_text("the same for all\n")
    for node in cluster.nodes:
        lines = node.ctdb("-X", "status").stdout.splitlines()
        assert [line.split("|")[2] for line in lines[1:]] == [
            each.private_address for each in cluster.nodes
        ]
        assert node.ctdb("nodestatus", "all").returncode == 0
        for address in (node.address, node.public_address):
            assert cluster.read(address, "data", "plan.txt") == "the same for all\n"


def test_a_cluster_ends_with_its_creator() -> None:
    creator = subprocess.Popen(
        [sys.executable, "-c", BUSY_CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with creator:
        assert creator.stdout is not None
        directory, *daemons = creator.stdout.readline().split()
        assert len(daemons) == 3
        assert leftovers.with_prefix(directory)
        creator.send_signal(signal.SIGKILL)
    wait_until("the cluster is gone", lambda: not leftovers.with_prefix(directory))
    assert [pid for pid in daemons if os.path.exists(f"/proc/{pid}")] == []
