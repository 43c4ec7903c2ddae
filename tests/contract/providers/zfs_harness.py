"""Datasets of a real pool in a sparse file; needs a kernel with OpenZFS."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Callable, List

from fsrvpd.protocol.ports import Provider, Snapshot
from tests.contract.providers.harness import Harness, fill, new_id
from tests.contract.providers.private_mounts import output, run

_numbers = itertools.count()
_TIMEOUT = 120.0  # s


class Pool:
    """A ZFS pool. Names of datasets may contain spaces, the name of a pool may not."""

    def __init__(self, directory: Path, name: str, mebibytes: int = 512) -> None:
        self.name = name
        self._image = directory / f"{name}.zfs"
        with self._image.open("xb") as sparse:
            sparse.truncate(mebibytes << 20)
        settings = ["-O", "acltype=posixacl", "-O", "xattr=sa", "-O", "compression=off"]
        run("zpool", "create", *settings, name, self._image)

    def make(self, dataset: str, mount_point: Path) -> None:
        run("zfs", "create", "-o", f"mountpoint={mount_point}", dataset)

    def cut_power(self) -> None:
        """Reset the volume to what is on its disk now, without writing anything to it first."""
        copy = self._image.with_suffix(".copy")
        run("cp", "--sparse=always", self._image, copy)
        run("zpool", "export", "-f", self.name)
        copy.rename(self._image)
        run("zpool", "import", "-f", "-d", self._image, self.name)

    def close(self) -> None:
        run("zpool", "destroy", "-f", self.name)


class ZfsHarness(Harness):
    reserved = ".zfs"

    def __init__(self, pool: Pool, directory: Path, new_provider: Callable[[], Provider]) -> None:
        self._pool = pool
        self.dataset = f"{pool.name}/data set {next(_numbers)}"
        volume = directory / "große Platte"
        pool.make(self.dataset, volume)
        super().__init__(new_provider, volume)

    def left_over(self) -> List[str]:
        listed = output("zfs", "list", "-H", "-r", "-t", "all", "-o", "name", self.dataset)
        mounted = [str(path) for path in (self.volume / ".fsrvpd").glob("fsrvp-*")]
        return [name for name in listed.splitlines() if name != self.dataset] + mounted

    def exists(self, snapshot: Snapshot) -> bool:
        """Return whether it exists. A path in .zfs may stay cached after its deletion."""
        return Path(snapshot.root).name in os.listdir(self.volume / ".zfs/snapshot")

    def interrupt(self, snapshot: Snapshot) -> None:
        """Leave the state of a crash before the clone was made."""
        for name in self.left_over():
            if name.startswith(self.dataset + "/"):
                run("zfs", "destroy", name)
                os.rmdir(snapshot.root)

    def forge(self, snapshot: Snapshot) -> Snapshot:
        ours, forged = Path(snapshot.root).name[6:42], new_id().strip("{}")
        name = Path(snapshot.root).name.replace(ours, forged)
        run("zfs", "snapshot", f"{self.dataset}@{name}")
        return snapshot._replace(root=snapshot.root.replace(ours, forged))

    def exhaust(self) -> None:
        """Leave almost no space: ZFS keeps a reserve, and becomes very slow near the limit."""
        fill(self.volume / "ballast", (1 << 22, 1 << 20))

    def relieve(self) -> None:
        """Free space again, which ZFS does some transactions after a file is deleted."""
        super().relieve()
        limit = time.monotonic() + _TIMEOUT
        while not self._takes_snapshots():
            assert time.monotonic() < limit, "the space of a deleted file cannot be used again"
            run("zpool", "sync", self._pool.name)
            time.sleep(0.2)

    def _takes_snapshots(self) -> bool:
        trial = f"{self.dataset}@trial"
        try:
            run("zfs", "snapshot", trial)
        except AssertionError:
            return False
        run("zfs", "destroy", trial)
        return True

    def cut_power(self) -> None:
        self._pool.cut_power()

    def hide(self) -> None:
        run("zfs", "unmount", self.dataset)

    def unhide(self) -> None:
        run("zfs", "mount", self.dataset)

    def make_read_only(self) -> None:
        run("zfs", "set", "readonly=on", self.dataset)

    def close(self) -> None:
        run("zfs", "destroy", "-r", "-f", self.dataset)
