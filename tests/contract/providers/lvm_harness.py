"""Thin volumes of a real volume group on a loop device; needs a kernel with device mapper."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Callable, List

from fsrvpd.protocol.ports import Provider, RemountsSnapshots, Snapshot
from tests.contract.providers.harness import Harness, new_id
from tests.contract.providers.private_mounts import output, run, unmount

PLACE = Path("/run/fsrvpd/lvm")
POOL_LIMIT = 90  # per cent, the default of fsrvp:pool limit
_numbers = itertools.count()


class VolumeGroup:
    """A volume group `name` with a thin pool `pool`, in a sparse file."""

    def __init__(self, directory: Path, name: str, mebibytes: int = 900) -> None:
        self.name = name
        self._image = directory / f"{name}.img"
        with self._image.open("xb") as sparse:
            sparse.truncate(mebibytes << 20)
        self.attach()
        run("vgcreate", "--quiet", name, self._device)
        run("lvcreate", "--quiet", "--thin", "--extents", "90%FREE", f"{name}/pool")

    def attach(self) -> None:
        self._device = output("losetup", "--find", "--show", self._image).strip()

    def detach(self) -> None:
        run("vgchange", "--quiet", "--activate", "n", self.name)
        run("losetup", "--detach", self._device)

    def bring_back(self) -> None:
        self.attach()
        run("pvscan", "--quiet", "--cache", self._device)
        run("vgchange", "--quiet", "--activate", "y", self.name)
        run("udevadm", "settle")

    def become_a_copy(self) -> None:
        """Reset the volume to what is on its disk now, without writing anything to it first."""
        copy = self._image.with_suffix(".copy")
        run("cp", "--sparse=always", self._image, copy)
        self.detach()
        copy.rename(self._image)
        self.bring_back()

    def make_volume(self, name: str, kind: str, mebibytes: int = 512) -> str:
        size = f"{mebibytes}M"
        run("lvcreate", "--quiet", "--thin", "--virtualsize", size, "-n", name, f"{self.name}/pool")
        device = f"/dev/{self.name}/{name}"
        run(f"mkfs.{kind}", "-q", device)
        return device

    def volumes(self) -> List[str]:
        listed = output("lvs", "--noheadings", "-o", "lv_name", self.name).split()
        return [name for name in listed if name not in ("pool", "ballast")]

    def snapshots(self) -> List[str]:
        return [name for name in self.volumes() if name.startswith("fsrvp-")]

    def remove(self, name: str) -> None:
        run("lvremove", "--quiet", "--force", "--yes", f"{self.name}/{name}")

    def fill(self) -> None:
        """Fill the pool beyond the limit, with a separate volume."""
        name = f"{self.name}/ballast"
        run("lvcreate", "--quiet", "--thin", "-V", "900M", "-n", "ballast", f"{self.name}/pool")
        free = float(output("lvs", "--noheadings", "-o", "data_percent", f"{self.name}/pool"))
        mebibytes = int((POOL_LIMIT + 2 - free) * self._pool_mebibytes() / 100)
        run("dd", "if=/dev/zero", f"of=/dev/{name}", "bs=1M", f"count={mebibytes}", "oflag=direct")

    def _pool_mebibytes(self) -> float:
        argv = ["lvs", "--noheadings", "--units", "m", "--nosuffix", "-o", "lv_size"]
        return float(output(*argv, f"{self.name}/pool"))

    def close(self) -> None:
        run("vgremove", "--quiet", "--force", "--yes", self.name)
        run("losetup", "--detach", self._device)


class LvmHarness(Harness):
    reserved = str(PLACE)

    def __init__(
        self,
        group: VolumeGroup,
        kind: str,
        directory: Path,
        new_provider: Callable[[], Provider],
    ) -> None:
        self._group = group
        self.device = group.make_volume(f"volume{next(_numbers)}", kind)
        volume = directory / "große Platte"
        volume.mkdir()
        run("mount", self.device, volume)
        super().__init__(new_provider, volume)

    def left_over(self) -> List[str]:
        mounted = [str(path) for path in PLACE.glob("*/*")]
        return mounted + self._group.snapshots()

    def interrupt(self, snapshot: Snapshot) -> None:
        """Leave the state of a crash between taking the snapshot and mounting it."""
        unmount(Path(snapshot.root))
        Path(snapshot.root).rmdir()

    def forge(self, snapshot: Snapshot) -> Snapshot:
        ours, forged = Path(snapshot.root).name[6:44], new_id()
        name = f"fsrvp-{forged.strip('{}')}"
        origin = self.device.removeprefix("/dev/")
        run("lvcreate", "--quiet", "--type", "thin", "--name", name, origin)
        root = snapshot.root.replace(ours, forged)
        Path(root).mkdir()
        return snapshot._replace(root=root)

    def cut_power(self) -> None:
        self._away(self._group.become_a_copy)
        self._back()

    def hide(self) -> None:
        self._away(self._group.detach)

    def unhide(self) -> None:
        self._group.bring_back()
        self._back()

    def exhaust(self) -> None:
        self._group.fill()

    def relieve(self) -> None:
        self._group.remove("ballast")

    def close(self) -> None:
        self._away(lambda: None)
        for name in (*self._group.snapshots(), Path(self.device).name):
            self._group.remove(name)
        shutil.rmtree(PLACE, ignore_errors=True)

    def _away(self, action: Callable[[], None]) -> None:
        for mounted in [*PLACE.glob("*/*"), self.volume]:
            if mounted.is_mount():
                unmount(mounted)
        action()

    def _back(self) -> None:
        """Mount as at boot: the entries of fstab, then what the daemon mounts at its start."""
        run("mount", self.device, self.volume)
        assert isinstance(self.provider, RemountsSnapshots)
        for found in self.found():
            self.provider.bring_up(found.snapshot)
