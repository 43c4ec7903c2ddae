"""On whatever file system the tests run: nothing here is particular to one."""

from __future__ import annotations

import os
from pathlib import Path

from fsrvpd.providers.removal import remove_tree


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
