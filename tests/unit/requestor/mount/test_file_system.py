from __future__ import annotations

import os
import stat
from errno import EACCES, EBUSY, EIO, ENODATA, ENOENT, ENXIO, EROFS
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, List, NamedTuple, NoReturn

import pytest

from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.mount import problems
from fsrvpd.requestor.mount.file_system import FileSystem
from fsrvpd.requestor.mount.identity import Identity
from fsrvpd.requestor.mount.problems import Problems
from tests.unit.requestor.mount.trees import DIRECTORY, MOMENT, MemoryTree


class Opened(NamedTuple):
    tree: MemoryTree
    mounted: FileSystem
    problems: Path
    said: List[str]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    tree = MemoryTree()
    tree.add("folder", attributes=DIRECTORY, file_id=5)
    tree.add("folder\\file", b"content", file_id=6, attributes=0x21)
    said: List[str] = []
    file = tmp_path / "problems"
    stable = Identity(by_file_id=True, by_change_time=True)
    mounted = FileSystem(tree, stable, Problems(file), lambda: said.append("ready"))
    return Opened(tree, mounted, file, said)


def number_of(call: Callable[[], Any]) -> int:
    with pytest.raises(OSError) as raised:  # noqa: PT011
        call()
    return raised.value.errno or 0


def test_the_kernel_may_remember_everything(opened: Opened) -> None:
    connection, config = SimpleNamespace(), SimpleNamespace()
    opened.mounted.init_with_config(connection, config)
    assert opened.said == ["ready"]
    assert connection.max_read == 1 << 20
    assert config.use_ino == 1
    assert config.attr_timeout > 3600


def test_attributes_are_those_of_the_server(opened: Opened) -> None:
    found = opened.mounted.getattr("/folder/file")
    assert stat.S_ISREG(found["st_mode"])
    assert stat.S_IMODE(found["st_mode"]) == 0o400
    assert (found["st_size"], found["st_ino"], found["st_nlink"]) == (7, 6, 1)
    assert found["st_ctime"] - found["st_mtime"] == 100
    assert found["st_mtime"] == (MOMENT + 2 - 116_444_736_000_000_000) * 100
    directory = opened.mounted.getattr("/folder")
    assert stat.S_ISDIR(directory["st_mode"])
    assert number_of(lambda: opened.mounted.getattr("/missing")) == ENOENT


def test_a_directory_is_listed_with_attributes(opened: Opened) -> None:
    [(name, found)] = opened.mounted.readdir("/folder", None)
    assert (name, found["st_ino"]) == ("file", 6)
    [(name, found)] = opened.mounted.readdir("/", None)
    assert (name, found["st_ino"]) == ("folder", 5)


def test_a_file_is_read(opened: Opened) -> None:
    handle = opened.mounted.open("/folder/file", os.O_RDONLY)
    assert opened.mounted.read("/folder/file", 100, 3, handle) == b"tent"
    assert opened.mounted.release("/folder/file", handle) == 0
    assert number_of(lambda: opened.mounted.open("/folder/file", os.O_RDWR)) == EROFS


def test_holes_are_found(opened: Opened) -> None:
    opened.tree.ranges["folder\\file"] = [(2, 3)]
    handle = opened.mounted.open("/folder/file", os.O_RDONLY)

    def seek(offset: int, whence: int) -> int:
        return opened.mounted.lseek("/folder/file", offset, whence, handle)

    assert (seek(0, os.SEEK_DATA), seek(2, os.SEEK_HOLE), seek(5, os.SEEK_HOLE)) == (2, 5, 5)
    assert number_of(lambda: seek(5, os.SEEK_DATA)) == ENXIO
    assert number_of(lambda: seek(7, os.SEEK_HOLE)) == ENXIO


def test_facts_are_extended_attributes(opened: Opened) -> None:
    names = opened.mounted.listxattr("/folder/file")
    assert "user.smb.security_descriptor" in names
    assert opened.mounted.getxattr("/folder/file", "user.smb.attributes") == b"0x21"
    asked = len(opened.tree.asked)
    for name in ("system.posix_acl_access", "security.capability"):
        assert number_of(lambda name=name: opened.mounted.getxattr("/folder/file", name)) == ENODATA
    assert len(opened.tree.asked) == asked


def test_what_cannot_be_read_is_counted(opened: Opened) -> None:
    opened.tree.refused.add("folder\\file")
    assert number_of(lambda: opened.mounted.open("/folder/file", os.O_RDONLY)) == EACCES
    found = problems.read(opened.problems)
    assert found.counts == {"unreadable": 1}
    assert found.named[0].path == "folder\\file"


def test_long_names_are_allowed(opened: Opened) -> None:
    assert opened.mounted.statfs("/")["f_namemax"] >= 255 * 3


def test_a_file_that_is_longer_than_its_directory_says_is_not_cut(opened: Opened) -> None:
    held = opened.tree.found["folder\\file"]
    opened.mounted.getattr("/folder/file")
    opened.tree.found["folder\\file"] = held._replace(size=held.size + 1)
    assert number_of(lambda: opened.mounted.open("/folder/file", os.O_RDONLY)) == EIO
    assert problems.read(opened.problems).counts == {"unreadable": 1}


def test_every_refusal_to_read_is_counted(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, stream: str = "") -> NoReturn:
        raise FileFailure(path, "another program has locked it", errno=EBUSY)

    monkeypatch.setattr(opened.tree, "open", refuse)
    assert number_of(lambda: opened.mounted.open("/folder/file", os.O_RDONLY)) == EBUSY
    assert problems.read(opened.problems).counts == {"unreadable": 1}
    assert number_of(lambda: opened.mounted.getattr("/.nobackup")) == ENOENT
    assert problems.read(opened.problems).counts == {"unreadable": 1}
