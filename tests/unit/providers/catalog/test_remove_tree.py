"""These tests run on any file system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.catalog import remove_tree as remove_tree_module
from fsrvpd.providers.catalog.remove_tree import remove_tree

USER = 12345
# Programs of a user who has the directory in argv[1] open.
MAKE_FILES = """
import itertools, os, signal, sys
os.chdir(sys.argv[1])
os.setuid(%d)
os.close(2)
print("ready", flush=True)
os.fork(), os.fork()
signal.alarm(60)
for number in itertools.count():
    os.close(os.open(f"{os.getpid()} {number}", os.O_CREAT))
"""
MAKE_DEEPER = """
import os, signal, sys
signal.alarm(60)
os.chdir(sys.argv[1])
os.setuid(%d)
os.close(2)
print("ready", flush=True)
while True:
    os.mkdir("d")
    os.chdir("d")
"""


def remove(path: Path) -> None:
    parent = os.open(path.parent, os.O_RDONLY)
    remove_tree(path.name, parent)
    os.close(parent)


def test_everything_goes_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    tree = tmp_path / "tree"
    for number in range(50):
        (tree / f"a{number}/b/c").mkdir(parents=True)
        (tree / f"a{number}/b/file").touch()
        (tree / f"a{number}/b/link").symlink_to(outside)
    os.mkfifo(tree / "fifo")
    remove(tree)
    assert os.listdir(tmp_path) == ["outside"]
    assert (outside / "file").exists()


def test_deeper_than_recursion_and_paths(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("tree", dir_fd=fd)
    for name in ["tree", *(["x" * 100] * 3000)]:
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
        os.mkdir("x" * 100, dir_fd=fd)
    os.close(fd)
    remove(tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def test_nothing_to_remove(tmp_path: Path) -> None:
    remove(tmp_path / "absent")


@pytest.mark.parametrize(("program", "attempts"), [(MAKE_FILES, 3), (MAKE_DEEPER, 1)])
def test_who_has_a_directory_open_cannot_keep_it(
    tmp_path: Path, program: str, attempts: int
) -> None:
    """A process goes on making files, or directories inside one another: while an attempt removes
    those, it makes more of them, so a further attempt would take several times as long."""
    opened = tmp_path / "tree/inner/open"
    opened.mkdir(parents=True)
    os.chown(opened, USER, USER)
    with user(program, opened):
        remover = threading.Thread(
            target=keep_removing, args=(tmp_path / "tree", attempts), daemon=True
        )
        remover.start()
        remover.join(60)  # the process takes most of a busy machine
        assert not remover.is_alive()
        assert program == MAKE_DEEPER or not os.listdir(tmp_path)
    remove(tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def keep_removing(tree: Path, attempts: int) -> None:
    """Remove it as the agent does: what was made meanwhile is left for the next attempt."""
    for _ in range(attempts):
        with suppress(StorageError):
            remove(tree)
            return


@contextmanager
def user(program: str, directory: Path) -> Iterator[None]:
    argv = [sys.executable, "-c", program % USER, str(directory)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_clock_that_was_set_back_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree/a").mkdir(parents=True)
    top = os.open(tmp_path / "tree", os.O_RDONLY)
    removal = remove_tree_module._Removal(top)
    removal._began = 1
    with pytest.raises(StorageError, match="made while"):
        removal.run()
    removal._left.clear()
    monkeypatch.setattr(remove_tree_module, "time_ns", lambda: 2)
    removal.run()
    os.close(top)
    assert not os.listdir(tmp_path / "tree")
