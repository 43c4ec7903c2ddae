from __future__ import annotations

import os
import select
from pathlib import Path

from fsrvpd.core.live_mounts import LiveMounts
from tests.contract.providers.private_mounts import run, unmount


def test_changes_are_seen_at_once(mounts: LiveMounts, tmp_path: Path) -> None:
    point = tmp_path / "mount point"
    point.mkdir()
    before = mounts.generation()
    assert mounts.generation() == before
    assert mounts.lookup(str(point)).mount_point != str(point)
    run("mount", "-t", "tmpfs", "tmpfs", point)
    assert mounts.lookup(str(point / "inner")).mount_point == str(point)
    assert [mount.fs_type for mount in mounts.below(str(tmp_path))] == ["tmpfs"]
    assert mounts.generation() > before
    unmount(point)
    assert mounts.below(str(tmp_path)) == []


def test_a_loop_is_told_although_the_table_was_read(mounts: LiveMounts, tmp_path: Path) -> None:
    loop = select.poll()
    loop.register(mounts.fileno(), select.POLLPRI)
    loop.poll(0)
    run("mount", "-t", "tmpfs", "tmpfs", tmp_path)
    mounts.generation()
    assert loop.poll(0)
    assert not loop.poll(0)
    unmount(tmp_path)


def test_a_forked_child_takes_no_change_from_its_parent(mounts: LiveMounts, tmp_path: Path) -> None:
    run("mount", "-t", "tmpfs", "tmpfs", tmp_path)
    pid = os.fork()
    if pid == 0:
        try:
            seen = mounts.lookup(str(tmp_path)).mount_point
            os._exit(0 if seen == str(tmp_path) else 2)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert mounts.lookup(str(tmp_path)).mount_point == str(tmp_path)
    unmount(tmp_path)
