"""What a file costs that is cloned by reflink, by the number of threads that clone.

python -m benchmarks.clones        (root; XFS on a loop device, seen by nobody else)
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from fsrvpd.providers import crew
from fsrvpd.providers.allowance import Allowance
from fsrvpd.providers.clone import Clone
from fsrvpd.providers.wanted import EVERYTHING
from tests.contract.providers import private_mounts

DIRECTORIES, FILES = 40, 50
ROUNDS = 40
THREADS = (1, 2, 3, 4)
MEBIBYTES = 1024


def measure(rounds: int = ROUNDS) -> Mapping[int, Sequence[float]]:
    """Seconds a file took, run by run, by the number of threads. They take turns."""
    found: dict[int, list[float]] = {number: [] for number in THREADS}
    with tempfile.TemporaryDirectory() as directory:
        private_mounts.enter()
        root = Path(directory) / "volume"
        private_mounts.make("xfs", root.with_suffix(".img"), root, MEBIBYTES)
        try:
            make_tree(root / "source")
            for _ in range(rounds):
                for number in THREADS:
                    found[number].append(_run(root, number))
        finally:
            private_mounts.unmount(root)
    return found


def make_tree(source: Path) -> None:
    """Files with an owner and an attribute of their own, as Samba's are."""
    for directory in range(DIRECTORIES):
        folder = source / str(directory)
        folder.mkdir(parents=True)
        for number in range(FILES):
            file = folder / str(number)
            file.write_bytes(b"x" * 5000)
            os.chown(file, 1000, 1000)
            os.setxattr(file, "user.DOSATTRIB", b"x" * 60)
    os.sync()


def _run(root: Path, threads: int) -> float:
    crew.MOST = threads
    with _directory(root / "target") as target, _directory(root / "links") as links:
        source = os.open(root / "source", os.O_RDONLY)
        began = time.perf_counter()
        Clone(source, target, links, (0, 0), EVERYTHING, Allowance()).run()
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
    for number, seconds in measure().items():
        least, middle = min(seconds), sorted(seconds)[len(seconds) // 2]
        print(f"{number} threads: least {least * 1e6:.0f} us, median {middle * 1e6:.0f} us a file")


if __name__ == "__main__":
    main()
