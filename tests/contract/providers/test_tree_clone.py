"""Which files of a tree are cloned, by several threads and within a time limit."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

from fsrvpd.core import clones
from fsrvpd.errors import TookTooLong
from fsrvpd.providers.reflink import worker_pool
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness

XFS_MEBIBYTES = 320
DIRECTORIES, FILES = 60, 100


@pytest.fixture
def xfs(make_harness: MakeHarness) -> Harness:
    return make_harness("reflink", "xfs", XFS_MEBIBYTES)


def cloned(harness: Harness, options: Dict[str, str]) -> Set[str]:
    root = Path(harness.take(harness.request(options=options)).share_path)
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.fixture
def machines(xfs: Harness) -> Harness:
    """Virtual machines in Hyper-V's layout, and other files that collect there."""
    for name in ("Größe.vhdx", "notes.txt", "Müller/Übung.VHDX", "Müller/Übung.vmrs"):
        (xfs.directory / name).parent.mkdir(exist_ok=True)
        (xfs.directory / name).write_text(name)
    (xfs.directory / "Müller/Snapshots/deep").mkdir(parents=True)
    (xfs.directory / "Müller/Snapshots/deep/a.avhdx").write_text("a")
    return xfs


def test_everything_by_default(machines: Harness) -> None:
    everything = {str(p.relative_to(machines.directory)) for p in machines.directory.rglob("*")}
    assert cloned(machines, {}) == cloned(machines, {"depth": "0"}) == everything
    assert cloned(machines, {"depth": "9"}) == everything


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        ("1", {"Größe.vhdx", "notes.txt"}),
        ("2", {"Größe.vhdx", "notes.txt", "Müller", "Müller/Übung.VHDX", "Müller/Übung.vmrs"}),
    ],
)
def test_depth(machines: Harness, depth: str, expected: Set[str]) -> None:
    assert cloned(machines, {"depth": depth}) == expected


def test_include(machines: Harness) -> None:
    directories = {"Müller", "Müller/Snapshots", "Müller/Snapshots/deep"}
    found = cloned(machines, {"include": "/*.vhdx/*.avhdx/"})
    assert found - directories == {
        "Größe.vhdx",
        "Müller/Übung.VHDX",
        "Müller/Snapshots/deep/a.avhdx",
    }
    assert cloned(machines, {"include": "/übung.*/"}) - directories == {
        "Müller/Übung.VHDX",
        "Müller/Übung.vmrs",
    }
    assert cloned(machines, {"include": "/größe*/", "depth": "1"}) == {"Größe.vhdx"}


def test_a_large_tree_by_many(xfs: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing or duplicated, and hard links across directories are kept."""
    for number in range(DIRECTORIES):
        folder = xfs.directory / str(number)
        folder.mkdir()
        for file in range(FILES):
            (folder / str(file)).write_text(f"{number} {file}")
        if number:
            os.link(xfs.directory / "0/0", folder / "link")
    cloners = seen_at_work(monkeypatch)
    monkeypatch.setattr(worker_pool, "MAX_WORKERS", 4)
    snapshot = xfs.take()
    assert len(cloners) > 1
    difference = ["diff", "-r", xfs.directory, snapshot.share_path]
    assert subprocess.run(difference, check=False).returncode == 0
    first = Path(snapshot.share_path) / "0/0"
    assert first.stat().st_nlink == DIRECTORIES


def seen_at_work(monkeypatch: pytest.MonkeyPatch) -> Set[str]:
    """Return a set to which the names of cloning threads are added."""
    threads: Set[str] = set()
    real = clones.Listing.clone_plain_files

    def clone(listing: clones.Listing, source: int, target: int) -> List[clones.Entry]:
        threads.add(threading.current_thread().name)
        return real(listing, source, target)

    monkeypatch.setattr(clones.Listing, "clone_plain_files", clone)
    return threads


def test_a_directory_that_becomes_a_link_while_it_is_cloned(xfs: Harness, tmp_path: Path) -> None:
    """The link is not followed, and the rest of the tree is cloned."""
    (tmp_path / "secret").write_text("not for the share")
    for number in range(200):
        (xfs.directory / f"still {number:03}").mkdir()
        (xfs.directory / f"still {number:03}/file").write_text(str(number))
    done = threading.Event()
    mover = threading.Thread(target=keep_swapping, args=(xfs.directory, tmp_path, done))
    mover.start()
    try:
        snapshots = [xfs.take() for _ in range(10)]
    finally:
        done.set()
        mover.join()
    for snapshot in snapshots:
        root = Path(snapshot.share_path)
        assert len(list(root.glob("still */file"))) == 200
        assert not [path for path in root.rglob("secret") if not path.parent.is_symlink()]


def keep_swapping(directory: Path, elsewhere: Path, done: threading.Event) -> None:
    place = directory / "swapped"
    while not done.is_set():
        (place / "inner").mkdir(parents=True)
        shutil.rmtree(place)
        place.symlink_to(elsewhere)
        place.unlink()


@pytest.fixture
def no_signals() -> Iterator[None]:
    """Ignore SIGIO, which the kernel sends to the holder of a lease and which would kill it."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


@pytest.mark.usefixtures("no_signals")
def test_what_takes_too_long_is_undone(xfs: Harness) -> None:
    """A lease on a file delays every open of it."""
    for name in ("a", "b", "held"):
        (xfs.directory / name).write_text(name)
    limited = {"clone time limit": "1"}
    with (xfs.directory / "held").open("r+") as held:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        request = xfs.request(options=limited)
        planned = xfs.provider.plan(request)
        with pytest.raises(TookTooLong, match=r"held: 2 files were cloned within 1 s.*/proc/locks"):
            xfs.provider.create(request, planned)
        assert xfs.left_over() == []
    assert "held" in cloned(xfs, limited)
