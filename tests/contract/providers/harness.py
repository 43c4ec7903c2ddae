"""What each test of the contract uses: a provider, a volume for it, and a share."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from fsrvpd.protocol.ports import (
    FoundSnapshot,
    Provider,
    Share,
    ShareLocation,
    Snapshot,
    SnapshotRequest,
)
from tests.contract.providers.private_mounts import run, unmount

SHARE = "Übersicht 2026"
DEEP = "Abteilung ß/Bücher und Karten/Ünï cödé"


def new_id() -> str:
    return f"{{{str(uuid.uuid4()).upper()}}}"


class Harness:
    """`directory` is the share: deep inside the volume, with letters that are not ASCII."""

    reserved = ".fsrvpd"  # a path with this component is inside a snapshot
    snapshots_many = int(os.environ.get("FSRVPD_TEST_SNAPSHOTS_MANY", "300"))
    any_file_system = False  # the provider accepts any file system
    one_moment = True  # all files of a snapshot are from one moment

    def __init__(self, new_provider: Callable[[], Provider], volume: Path) -> None:
        self.new_provider = new_provider  # as after a restart of the daemon
        self.provider = new_provider()
        self.volume = volume
        self.directory = volume / DEEP
        self.directory.mkdir(parents=True)

    def request(
        self,
        directory: Optional[Path] = None,
        *,
        writable: bool = False,
        created: Optional[float] = None,
        options: Optional[Dict[str, str]] = None,
    ) -> SnapshotRequest:
        path = str(directory or self.directory)
        share = Share(name=SHARE, path=path, from_registry=False, options=options or {})
        located = self.provider.locate(path)
        whole = self.provider.whole_volume
        location = ShareLocation(share, *located, self.provider.name, path, whole)
        moment = time.time() if created is None else created
        return SnapshotRequest(new_id(), new_id(), location, writable, moment, "SERVER")

    def take(self, request: Optional[SnapshotRequest] = None) -> Snapshot:
        request = request or self.request()
        self.provider.prepare(request)
        planned = self.provider.plan(request)
        self.provider.create(request, planned)
        return planned

    def take_many(self, number: int) -> List[Snapshot]:
        return [self.take() for _ in range(number)]

    def found(self) -> List[FoundSnapshot]:
        return list(self.provider.find([str(self.volume)]))

    def left_over(self) -> List[str]:
        """List the content of `.fsrvpd`, files included, without its own directories."""
        directory = self.volume / ".fsrvpd"
        standing = {
            path for path in directory.glob("*") if path.name != ".marks" and not ours(path)
        }
        standing |= set((directory / ".marks").glob("*"))
        standing |= {
            path for share in directory.glob("*") if ours(share) for path in share.iterdir()
        }
        return sorted(str(path.relative_to(directory)) for path in standing)

    def exists(self, snapshot: Snapshot) -> bool:
        return os.path.exists(snapshot.root)

    def interrupt(self, snapshot: Snapshot) -> None:
        """Leave the state of a power cut between the marker and the snapshot itself."""
        os.rename(snapshot.root, self.volume / "away")

    def forge(self, snapshot: Snapshot) -> Snapshot:
        """Make something that looks like fsrvpd's snapshot but was made by somebody else."""
        forged = snapshot.root.replace(Path(snapshot.root).name[6:44], new_id())
        os.mkdir(forged)
        return snapshot._replace(root=forged)

    def exhaust(self) -> None:
        """Leave no space on the storage."""
        fill(self.volume / "ballast", (1 << 22, 1 << 16, 1 << 12))

    def relieve(self) -> None:
        (self.volume / "ballast").unlink()

    def cut_power(self) -> None:
        """Reset the volume to what is on its disk now, without syncing anything."""
        image, twin = self.volume.with_suffix(".img"), self.volume.with_name("twin.img")
        run("cp", "--sparse=always", image, twin)
        unmount(self.volume)
        run("mount", "-o", "loop", twin, self.volume)

    def hide(self) -> None:
        """Unmount the volume, as if its disks were missing."""
        run("mount", "-t", "tmpfs", "tmpfs", self.volume)

    def unhide(self) -> None:
        unmount(self.volume)

    def make_read_only(self) -> None:
        run("mount", "-o", "remount,ro", self.volume)


def fill(path: Path, pieces: Sequence[int]) -> None:
    """Fill all free space, in pieces of these sizes (bytes)."""
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            with suppress(OSError):
                while True:
                    file.write(bytes(piece))
                    os.fsync(file.fileno())


def ours(directory: Path) -> bool:
    """Return whether the directory is one in which reflink keeps the clones of one share."""
    return len(directory.name) == 32
