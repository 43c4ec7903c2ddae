"""What reflink clones in Prepare, and again in Commit where something has changed since.

The copy is compared with the share at the moment of Commit: names, kinds, content, owners, modes,
ACLs, attributes, times and hard links.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from fsrvpd.core.clones import Listing
from fsrvpd.protocol.ports import Snapshot, SnapshotRequest
from fsrvpd.providers.reflink import clone_record
from tests.contract.providers.conftest import MakeHarness
from tests.contract.providers.harness import Harness
from tests.contract.providers.private_mounts import run

DIRECTORIES, FILES = 8, 30
JOE, STAFF = 1234, 4321


@pytest.fixture
def xfs(make_harness: MakeHarness) -> Harness:
    return make_harness("reflink", "xfs", 320)


@pytest.fixture
def tree(xfs: Harness, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that are old enough to be taken for unchanged; nobody waits for that."""
    root = xfs.directory
    for number in range(DIRECTORIES):
        folder = root / f"folder {number}"
        folder.mkdir()
        for file in range(FILES):
            (folder / str(file)).write_text(f"{number} {file} ".ljust(100, "x"))
    (root / "folder 0/inner/deep").mkdir(parents=True)
    (root / "folder 0/inner/deep/file").write_text("deep")
    (root / "folder 1/link").symlink_to("nowhere")
    os.mkfifo(root / "folder 1/fifo")
    for number in (2, 3):
        os.link(root / "folder 1/1", root / f"folder {number}/hard link")
    os.link(root / "folder 4/4", root / "folder 5/still hard link")
    run("setfacl", "-m", f"u:{JOE}:rx,d:u:{JOE}:rwx", root / "folder 6")
    monkeypatch.setattr(clone_record, "_MARGIN", 0)
    time.sleep(1.1)  # the second in which they were made is over
    return root


def seen(root: Path) -> Dict[str, Tuple[object, ...]]:
    """Everything of a tree that a backup may look at."""
    first_names: Dict[int, str] = {}
    found: Dict[str, Tuple[object, ...]] = {}
    for path in sorted([root, *root.rglob("*")]):
        name, status = str(path.relative_to(root)), path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        target = os.readlink(path) if path.is_symlink() else ""
        attributes = {
            each: os.getxattr(path, each, follow_symlinks=False)
            for each in os.listxattr(path, follow_symlinks=False)
        }
        linked = first_names.setdefault(status.st_ino, name) if not path.is_dir() else ""
        who = status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns
        found[name] = (*who, content, target, attributes, linked)
    return found


class Prepared:
    def __init__(self, harness: Harness) -> None:
        self._provider = harness.provider
        self.request: SnapshotRequest = harness.request()
        self._provider.prepare(self.request)

    def commit(self) -> Path:
        planned: Snapshot = self._provider.plan(self.request)
        self._provider.create(self.request, planned)
        return Path(planned.share_path)


@pytest.fixture
def cloned(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """The number of files that each batch was cloned of, in any thread."""
    numbers: List[int] = []
    real = Listing.clone_plain_files

    def clone(listing: Listing, source: int, target: int) -> List[object]:
        before = len(os.listdir(target))
        others = real(listing, source, target)
        numbers.append(len(os.listdir(target)) - before)
        return list(others)

    monkeypatch.setattr(Listing, "clone_plain_files", clone)
    return numbers


def test_what_did_not_change_is_not_cloned_again(
    xfs: Harness, tree: Path, cloned: List[int]
) -> None:
    prepared = Prepared(xfs)
    assert sum(cloned) > DIRECTORIES * (FILES - 2)
    cloned.clear()
    (tree / "folder 7/7").write_text("changed")
    copy = prepared.commit()
    assert seen(copy) == seen(tree)
    assert sum(cloned) == 1
    assert len(xfs.found()) == 1


def test_a_directory_that_is_closed_while_what_is_in_it_is_cloned(
    xfs: Harness, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written when it was closed is not open in the copy."""
    prepared = Prepared(xfs)
    real = Listing.read

    def read(listing: Listing, directory: int) -> int:
        if os.readlink(f"/proc/self/fd/{directory}").endswith("folder 0/inner/deep"):
            (tree / "folder 0").chmod(0o700)
            (tree / "folder 0/inner/deep/secret").write_text("secret")
            monkeypatch.setattr(Listing, "read", real)
        return real(listing, directory)

    monkeypatch.setattr(Listing, "read", read)
    copy = prepared.commit()
    assert (copy / "folder 0/inner/deep/secret").exists()
    assert (copy / "folder 0").stat().st_mode & 0o777 == 0o700


def write_through_a_mapping(tree: Path) -> Callable[[], None]:
    """The mapping and its dirty page are there before Prepare."""
    with (tree / "folder 2/2").open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0)
    mapping[0:4] = b"prep"

    def write() -> None:
        mapping[0:4] = b"comm"

    return write


def back_in_time(tree: Path) -> None:
    path = tree / "folder 2/3"
    before = path.stat()
    path.write_text("y" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(tree: Path) -> None:
    first, second, between = tree / "folder 3", tree / "folder 4", tree / "between"
    first.rename(between)
    second.rename(first)
    between.rename(second)


def replace_directory(tree: Path) -> None:
    (tree / "folder 5").rename(tree / "folder 0/inner/moved")
    (tree / "folder 5").mkdir()
    (tree / "folder 5/new").write_text("new")


def kinds(tree: Path) -> None:
    (tree / "folder 1/1").unlink()
    (tree / "folder 1/1").mkdir()
    (tree / "folder 0/inner/deep/file").unlink()
    (tree / "folder 0/inner/deep").rmdir()
    (tree / "folder 0/inner/deep").write_text("a file now")
    (tree / "folder 1/link").unlink()
    (tree / "folder 1/link").symlink_to("elsewhere")


def attributes(tree: Path) -> None:
    run("setfacl", "-b", tree / "folder 6")
    run("setfacl", "-m", f"u:{JOE}:r", tree / "folder 6/6")
    os.setxattr(tree / "folder 6/7", "user.note", b"x")
    os.setxattr(tree / "folder 7", "user.note", b"x")
    (tree / "folder 2").chmod(0o2750)
    os.chown(tree / "folder 2", JOE, STAFF)


def many(tree: Path) -> None:
    for number in range(FILES):
        (tree / f"folder 2/{number}").unlink()
        (tree / f"folder 2/new {number}").write_text(str(number))


def files(tree: Path) -> None:
    run("dd", "if=/etc/passwd", f"of={tree}/folder 2/2", "oflag=append", "conv=notrunc")
    os.truncate(tree / "folder 2/3", 10)
    (tree / "folder 2/4").rename(tree / "folder 3/other")
    (tree / "folder 2/5").replace(tree / "folder 2/6")
    os.link(tree / "folder 2/7", tree / "folder 3/linked")
    run("rm", "-r", tree / "folder 1", tree / "folder 3/3", tree / "folder 0/inner")
    os.utime(tree / "folder 7", ns=(5, 7))


def hard_links(tree: Path) -> None:
    (tree / "folder 2/hard link").write_text("new")
    (tree / "folder 5").rename(tree / "folder 5 renamed")


def below_an_acl(tree: Path) -> None:
    """What is made in the copy of that directory must not inherit from it."""
    (tree / "folder 6/new").write_text("new")
    (tree / "folder 6/inner").mkdir()


CHANGES: List[Callable[[Path], None]] = [
    lambda tree: None,
    lambda tree: (tree / "late").unlink(),
    files,
    hard_links,
    exchange,
    replace_directory,
    back_in_time,
    kinds,
    attributes,
    below_an_acl,
    many,
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_copy_is_of_the_moment_of_commit(
    xfs: Harness, tree: Path, change: Callable[[Path], None]
) -> None:
    (tree / "late").write_text("made in the second of Prepare")
    prepared = Prepared(xfs)
    change(tree)
    expected = seen(tree)
    assert seen(prepared.commit()) == expected
    assert len(xfs.found()) == 1


def test_a_mapping_that_was_written_to_before_and_after(xfs: Harness, tree: Path) -> None:
    write = write_through_a_mapping(tree)
    prepared = Prepared(xfs)
    write()
    copy = prepared.commit()
    assert (copy / "folder 2/2").read_bytes().startswith(b"comm")
    assert seen(copy) == seen(tree)


def test_a_clock_that_was_set_back(
    xfs: Harness, tree: Path, cloned: List[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change since might have any time: everything is cloned again."""
    prepared = Prepared(xfs)
    number = sum(cloned)
    cloned.clear()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 1)
    assert seen(prepared.commit()) == seen(tree)
    assert sum(cloned) == number


def test_options_hold_for_both(xfs: Harness, tree: Path) -> None:
    request = xfs.request(options={"include": "/1*/", "depth": "2"})
    xfs.provider.prepare(request)
    (tree / "folder 1/15").write_text("changed")
    (tree / "folder 1/16").unlink()
    planned = xfs.provider.plan(request)
    xfs.provider.create(request, planned)
    copy = Path(planned.share_path)
    names = {str(path.relative_to(copy)) for path in copy.rglob("*") if not path.is_dir()}
    folders = range(DIRECTORIES)
    expected = {f"folder {n}/{name}" for n in folders for name in ["1", *range(10, 20)]}
    assert names == expected - {"folder 1/16"}
    assert (copy / "folder 1/15").read_text() == "changed"


def test_one_that_is_never_committed_is_found_and_removed(xfs: Harness, tree: Path) -> None:
    prepared = Prepared(xfs)
    (found,) = xfs.found()
    assert found.shadow_copy_id == prepared.request.shadow_copy_id
    assert not Path(found.snapshot.root).exists()
    xfs.provider.delete(found.snapshot)
    assert xfs.left_over() == []


@pytest.mark.parametrize("keep", [False, True])
def test_only_a_copy_that_is_committed_is_one_to_keep(xfs: Harness, tree: Path, keep: bool) -> None:
    """No set may be stored of one that is not: nobody else would know it."""
    request = xfs.request()._replace(keep=keep)
    xfs.provider.prepare(request)
    assert [each.keep for each in xfs.found()] == [False]
    planned = xfs.provider.plan(request)
    xfs.provider.create(request, planned)
    assert [each.keep for each in xfs.found()] == [keep]
    assert seen(Path(planned.share_path)) == seen(tree)
    xfs.provider.delete(planned)
    assert xfs.left_over() == []


def test_one_that_another_process_began(xfs: Harness, tree: Path) -> None:
    """As after a restart: it is found, deleted, and made anew."""
    prepared = Prepared(xfs)
    after_restart = xfs.new_provider()
    (found,) = after_restart.find([str(xfs.volume)])
    after_restart.delete(found.snapshot)
    after_restart.prepare(prepared.request)
    planned = after_restart.plan(prepared.request)
    after_restart.create(prepared.request, planned)
    assert seen(Path(planned.share_path)) == seen(tree)


def test_a_failed_prepare_leaves_nothing(
    xfs: Harness, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["touch", tree / "folder 3/x"], check=True)
    monkeypatch.setattr(os, "mkdir", _failing(os.mkdir, "folder 3"))
    with pytest.raises(Exception, match="folder 3"):
        xfs.provider.prepare(xfs.request())
    assert xfs.left_over() == []


def _failing(real: Callable[..., None], name: str) -> Callable[..., None]:
    def mkdir(path: object, *arguments: object, **named: object) -> None:
        if path == name:
            raise OSError(5, "the test wants it so", name)
        real(path, *arguments, **named)

    return mkdir
