"""The time to clone a file by reflink, by the number of threads; and what is left for Commit.

python -m benchmarks.clones [FILES]     (root; XFS on a loop device, in a private mount namespace)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Iterator, Mapping, Sequence

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.protocol.ports import Share, ShareLocation, SnapshotRequest
from fsrvpd.providers.reflink import worker_pool
from fsrvpd.providers.reflink.file_clone import Links
from fsrvpd.providers.reflink.file_filter import EVERYTHING
from fsrvpd.providers.reflink.provider import Reflink
from fsrvpd.providers.reflink.time_budget import TimeBudget
from fsrvpd.providers.reflink.tree_clone import TreeClone
from tests.contract.providers import private_mounts

DIRECTORIES, FILES = 40, 50
ROUNDS = 40
THREADS = (1, 2, 3, 4)
MEBIBYTES = 1024
IN_A_SHARE = 20_000  # files
CHANGED = (0, 0.01)  # the parts of them that change between Prepare and Commit
SETS = 5


@contextmanager
def volume(mebibytes: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "volume"
        private_mounts.make("xfs", root.with_suffix(".img"), root, mebibytes)
        try:
            yield root
        finally:
            private_mounts.unmount(root)


def measure(rounds: int = ROUNDS) -> Mapping[int, Sequence[float]]:
    """Return seconds per file for each run, by the number of threads, which alternate."""
    found: dict[int, list[float]] = {number: [] for number in THREADS}
    with volume(MEBIBYTES) as root:
        make_tree(root / "source", DIRECTORIES)
        for _ in range(rounds):
            for number in THREADS:
                found[number].append(_run(root, number))
    return found


def measure_sets(files: int, sets: int = SETS) -> Mapping[str, Sequence[float]]:
    """Return seconds of `cp`, of Prepare, and of Commit by the part of the files that changed
    since, in turns."""
    found: dict[str, list[float]] = {}
    with volume(MEBIBYTES + files // 20) as root:
        share, provider = root / "source", Reflink(LiveMounts())
        make_tree(share, files // FILES)
        time.sleep(3)  # what was changed within the last two seconds is cloned again
        for _ in range(sets):
            found.setdefault("cp -a --reflink=always", []).append(_copy(share, root / "copy"))
            for part in CHANGED:
                prepare, commit = _take(provider, share, int(files * part))
                found.setdefault("Prepare", []).append(prepare)
                found.setdefault(f"Commit, {part:.0%} changed", []).append(commit)
                time.sleep(3)
    return found


def _copy(share: Path, copy: Path) -> float:
    os.sync()
    began = time.perf_counter()
    subprocess.run(["cp", "-a", "--reflink=always", share, copy], check=True)
    fd = os.open(copy, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    seconds = time.perf_counter() - began
    shutil.rmtree(copy)
    return seconds


def _take(provider: Reflink, path: Path, changed: int) -> tuple[float, float]:
    """Seconds of Prepare and of Commit."""
    share = Share("share", str(path), False, options={"clone time limit": "3600"})
    location = ShareLocation(share, *provider.locate(share.path), provider.name, share.path)
    ids = [f"{{{str(uuid.uuid4()).upper()}}}" for _ in range(2)]
    request = SnapshotRequest(ids[0], ids[1], location, False, time.time())
    os.sync()
    began = time.perf_counter()
    provider.prepare(request)
    prepared = time.perf_counter()
    for number in range(changed):
        directory, file = divmod(number * (FILES + 1), FILES)
        (path / str(directory % (changed * 2)) / str(file)).write_bytes(b"y" * 5000)
    planned, start = provider.plan(request), time.perf_counter()
    provider.create(request, planned)
    seconds = time.perf_counter() - start
    provider.delete(planned)
    return prepared - began, seconds


def make_tree(source: Path, directories: int) -> None:
    """Make files, each with its own owner and extended attribute, as Samba does."""
    for directory in range(directories):
        folder = source / str(directory)
        folder.mkdir(parents=True)
        for number in range(FILES):
            file = folder / str(number)
            file.write_bytes(b"x" * 5000)
            os.chown(file, 1000, 1000)
            os.setxattr(file, "user.DOSATTRIB", b"x" * 60)
    os.sync()


def _run(root: Path, threads: int) -> float:
    worker_pool.MAX_WORKERS = threads
    with _directory(root / "target") as target, _directory(root / "links") as links:
        source = os.open(root / "source", os.O_RDONLY)
        began = time.perf_counter()
        TreeClone(source, target, Links(links), (0, 0), EVERYTHING, TimeBudget()).run()
        seconds = time.perf_counter() - began
        os.close(source)
    return seconds / (DIRECTORIES * FILES)


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    path.mkdir()
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)
        shutil.rmtree(path)


def main() -> None:
    private_mounts.enter()
    files = int(sys.argv[1]) if len(sys.argv) > 1 else IN_A_SHARE
    for what, seconds in measure_sets(files).items():
        print(f"{files} files, {what}: least {min(seconds):.3f} s, median {median(seconds):.3f} s")
    for number, seconds in measure().items():
        least, middle = min(seconds), median(seconds)
        print(f"{number} threads: least {least * 1e6:.0f} us, median {middle * 1e6:.0f} us a file")


if __name__ == "__main__":
    main()
