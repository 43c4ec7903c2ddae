"""Users who change a tree while it is cloned: no copy is more open than its original was."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.protocol.ports import Snapshot
from lab.namespaces import wait_until
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run, unmount

XFS_MEBIBYTES = 320
ALICE, MALLORY = 1001, 1002
# argv: two paths, which are exchanged until the process is killed.
EXCHANGE = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
one, other = map(os.fsencode, sys.argv[1:])
print("ready", flush=True)
while True:
    assert libc.renameat2(-100, one, -100, other, 2) == 0
"""
# argv: files. Each is public while it can be read by all, and secret while it cannot.
CLOSE_AND_OPEN = """
import os, sys
print("ready", flush=True)
while True:
    for path in sys.argv[1:]:
        os.chmod(path, 0o600)
        fd = os.open(path, os.O_WRONLY)
        os.pwrite(fd, b"secret", 0)
        os.pwrite(fd, b"public", 0)
        os.close(fd)
        os.chmod(path, 0o644)
"""
# argv: files. Takes a lease on each, and takes it again at once when it has to release it.
HOLD_AGAIN = """
import fcntl, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
files = [open(path, "r+") for path in sys.argv[1:]]
for file in files:
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("ready", flush=True)
while True:
    signal.sigwait([signal.SIGIO])
    for file in files:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            pass
"""


@pytest.fixture
def xfs(make_harness: MakeHarness) -> Harness:
    return make_harness("reflink", "xfs", XFS_MEBIBYTES)


@contextmanager
def running(program: str, *argv: object) -> Iterator[None]:
    words = [sys.executable, "-c", program, *map(str, argv)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def fill(place: Path, owner: int, mode: int, content: str, files: int = 40) -> None:
    for name in ("x", "x/y"):
        (place / name).mkdir(parents=True)
        for number in range(files):
            (place / name / str(number)).write_text(content)
    os.chown(place, owner, owner)
    place.chmod(mode)


def test_exchanged_directories(xfs: Harness) -> None:
    """What is below a closed directory is not copied below an open one."""
    fill(xfs.directory / "pub", MALLORY, 0o755, "public")
    fill(xfs.directory / "priv", ALICE, 0o700, "secret")
    with running(EXCHANGE, xfs.directory / "pub", xfs.directory / "priv"):
        snapshots = [xfs.take() for _ in range(40)]
    seen = set()
    for snapshot in snapshots:
        for file in Path(snapshot.share_path).glob("*/x/**/[0-9]*"):
            place = file.relative_to(snapshot.share_path).parts[0]
            status = (Path(snapshot.share_path) / place).stat()
            seen.add((file.read_text(), status.st_uid, stat.S_IMODE(status.st_mode)))
    assert seen == {("public", MALLORY, 0o755), ("secret", ALICE, 0o700)}


@pytest.mark.parametrize("names", [1, 2])
def test_files_that_are_closed_before_they_become_secret(xfs: Harness, names: int) -> None:
    files = [xfs.directory / str(number) for number in range(20)]
    for file in files:
        file.write_text("public")
        for number in range(names - 1):
            os.link(file, f"{file}.{number}")
    with running(CLOSE_AND_OPEN, *files):
        snapshots = [xfs.take() for _ in range(60)]
    seen = set()
    for snapshot in snapshots:
        for file in files:
            copy = Path(snapshot.share_path) / file.name
            seen.add((copy.read_text(), stat.S_IMODE(copy.stat().st_mode)))
    assert ("secret", 0o600) in seen
    assert ("secret", 0o644) not in seen


@pytest.fixture
def no_signals() -> Iterator[None]:
    """Ignore SIGIO, which the kernel sends to the holder of a lease and which would kill it."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGIO, before)


def take_while_held(xfs: Harness, held: Path, change: Callable[[], Any]) -> Path:
    """Take a snapshot; `change` is called when all of it but one file is cloned."""
    request = xfs.request()
    planned = xfs.provider.plan(request)
    with held.open("r+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        taking = threading.Thread(target=xfs.provider.create, args=(request, planned))
        taking.start()
        files = len([path for path in xfs.directory.rglob("*") if path.is_file()])

        def all_but_one() -> bool:
            progress = xfs.provider.progress(request.shadow_copy_id)
            return progress is not None and progress.files == files - 1

        wait_until("all other files are cloned", all_but_one)
        change()
    taking.join()
    return Path(planned.share_path)


@pytest.mark.usefixtures("no_signals")
def test_a_directory_that_is_closed_meanwhile(xfs: Harness) -> None:
    fill(xfs.directory / "folder", ALICE, 0o755, "public")
    share = take_while_held(
        xfs, xfs.directory / "folder/x/y/0", lambda: (xfs.directory / "folder").chmod(0o700)
    )
    assert stat.S_IMODE((share / "folder").stat().st_mode) == 0o700
    assert (share / "folder/x/y/0").read_text() == "public"


@pytest.mark.usefixtures("no_signals")
def test_a_directory_that_is_opened_meanwhile(xfs: Harness) -> None:
    fill(xfs.directory / "folder", ALICE, 0o700, "secret")
    share = take_while_held(
        xfs, xfs.directory / "folder/x/y/0", lambda: (xfs.directory / "folder").chmod(0o755)
    )
    assert stat.S_IMODE((share / "folder").stat().st_mode) == 0o700


@pytest.mark.usefixtures("no_signals")
def test_a_directory_that_is_moved_meanwhile(
    xfs: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been moved to where it is protected, before a secret was written."""
    fill(xfs.directory / "pub", MALLORY, 0o755, "public")
    (xfs.directory / "priv").mkdir(0o700)
    share = take_while_held(
        xfs,
        xfs.directory / "pub/x/y/0",
        lambda: (xfs.directory / "pub/x").rename(xfs.directory / "priv/x"),
    )
    status = (share / "pub/x").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o700)
    assert len(list((share / "pub/x").glob("**/[0-9]*"))) == 80
    assert "was moved away while it was cloned" in caplog.text


def test_an_inode_that_is_used_again(xfs: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with several links gets nothing of a deleted one that had its inode number."""
    secret, public = xfs.directory / "secret", xfs.directory / "later/public"
    secret.write_text("secret")
    secret.chmod(0o600)
    os.link(secret, xfs.volume / "outside the share")
    public.parent.mkdir()
    mkdir = os.mkdir

    def replace(name: Any, *arguments: Any, **more: Any) -> None:
        if name == "later":
            inode = secret.stat().st_ino
            secret.unlink()
            (xfs.volume / "outside the share").unlink()
            wait_until("the inode number is used again", lambda: makes(public, inode))
            os.link(public, xfs.volume / "outside the share")
        mkdir(name, *arguments, **more)

    request = xfs.request()
    planned = xfs.provider.plan(request)
    monkeypatch.setattr(os, "mkdir", replace)
    xfs.provider.create(request, planned)
    share = Path(planned.share_path)
    assert (share / "secret").read_text() == "secret"
    assert (share / "later/public").read_text() == "public"
    assert stat.S_IMODE((share / "later/public").stat().st_mode) == 0o644


def makes(public: Path, inode: int) -> bool:
    """Make a file, and return whether it has this inode number."""
    new = public.parents[1] / "new"  # XFS looks for an inode near the directory
    new.write_text("public")
    os.statvfs(new)  # XFS frees inodes now
    found = new.stat().st_ino
    new.rename(public if found == inode else new.with_name(f"not {found}"))
    return found == inode


def test_leases_that_are_taken_again_and_again(xfs: Harness) -> None:
    files: List[Path] = []
    for number in range(40):
        files.append(xfs.directory / str(number % 5) / str(number))
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_text(str(number))
    with running(HOLD_AGAIN, *files):
        share = Path(xfs.take(xfs.request(options={"clone time limit": "20"})).share_path)
    for file in files:
        assert (share / file.relative_to(xfs.directory)).read_text() == file.name


def test_a_tree_of_6500_levels(xfs: Harness) -> None:
    """The time is proportional to the number of directories."""
    descend(xfs.directory, 6500)
    snapshot = xfs.take(xfs.request(options={"clone time limit": "20"}))
    assert descend(Path(snapshot.share_path), 0) == 6500
    xfs.provider.delete(snapshot)


def descend(path: Path, make: int) -> int:
    """Return the number of levels below a path; `make` so many first."""
    levels, fd = 0, os.open(path, os.O_RDONLY)
    while make or os.listdir(fd):
        if make:
            os.mkdir("d", dir_fd=fd)
            make -= 1
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
        levels += 1
    os.close(fd)
    return levels


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_mounted_below_the_share_meanwhile(xfs: Harness, kind: str) -> None:
    """Another directory or file of the same file system."""
    elsewhere, place = xfs.volume / "elsewhere", xfs.directory / "place"
    for path in (elsewhere, place):
        path.mkdir() if kind == "directory" else path.touch()
    request = xfs.request()
    planned: Snapshot = xfs.provider.plan(request)
    run("mount", "--bind", elsewhere, place)
    try:
        with pytest.raises(StorageError, match="place: is on another file system"):
            xfs.provider.create(request, planned)
    finally:
        unmount(place)
    assert xfs.left_over() == []
