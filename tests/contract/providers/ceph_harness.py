"""A share on a real CephFS, mounted by ceph-fuse."""

from __future__ import annotations

import itertools
import os
from typing import Callable

from fsrvpd.protocol.ports import Provider, Snapshot
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run
from tests.platform.ceph import Cluster

_numbers = itertools.count()


class CephHarness(Harness):
    reserved = ".snap"

    def __init__(self, cluster: Cluster, new_provider: Callable[[], Provider]) -> None:
        self._cluster = cluster
        super().__init__(new_provider, cluster.mount(f"große Platte {next(_numbers)}"))

    def left_over(self) -> list[str]:
        """List markers, and fsrvpd's snapshots of any directory."""
        places = [place for place, _, _ in os.walk(self.volume)]
        snapshots = [f"{at}/.snap/{name}" for at in places for name in os.listdir(f"{at}/.snap")]
        return super().left_over() + [path for path in snapshots if "/fsrvp-" in path]

    def interrupt(self, snapshot: Snapshot) -> None:
        os.rmdir(snapshot.root)

    def make_read_only(self) -> None:
        run("mount", "-o", "remount,ro,bind", self.volume)

    def exhaust(self) -> None:
        """Leave no space, with a quota as admins set it for a share of a cluster."""
        os.setxattr(self.volume, "ceph.quota.max_bytes", b"%d" % (4 << 20))
        super().exhaust()
        os.setxattr(self.volume, "ceph.quota.max_files", b"1")

    def relieve(self) -> None:
        for quota in ("max_files", "max_bytes"):
            os.setxattr(self.volume, f"ceph.quota.{quota}", b"0")
        super().relieve()

    def cut_power(self) -> None:
        self._cluster.cut_power()
