from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fsrvpd.core import bind_mounts
from tests.unit.exports.conftest import InPrivate, in_private_mounts

__all__ = ["in_private_mounts"]


def test_a_bind_mount_within_one_file_system_is_a_mount_point(
    tmp_path: Path, in_private_mounts: InPrivate
) -> None:
    """`os.path.ismount` compares device numbers, which are the same here."""
    source, point = tmp_path / "source", tmp_path / "point"
    source.mkdir()
    point.mkdir()

    def test() -> None:
        assert not bind_mounts.is_mount_point(str(point))
        bind_mounts.bind(str(source), str(point))
        assert not point.is_mount()
        assert bind_mounts.is_mount_point(str(point))
        bind_mounts.detach(str(point))
        assert not bind_mounts.is_mount_point(str(point))

    in_private_mounts(test)


def test_what_somebody_uses_is_not_unmounted(tmp_path: Path, in_private_mounts: InPrivate) -> None:
    source, point = tmp_path / "source", tmp_path / "point"
    source.mkdir()
    point.mkdir()
    (source / "file").touch()

    def test() -> None:
        bind_mounts.bind(str(source), str(point))
        with open(point / "file"), pytest.raises(OSError, match=str(point)) as refused:
            bind_mounts.unmount(str(point))
        assert refused.value.errno == errno.EBUSY
        bind_mounts.unmount(str(point))
        assert not bind_mounts.is_mount_point(str(point))

    in_private_mounts(test)


def test_what_is_no_directory_is_no_mount_point(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("file", "nothing", "nothing/inside"):
        assert not bind_mounts.is_mount_point(str(tmp_path / path))
    assert bind_mounts.is_mount_point("/")
    assert bind_mounts.is_mount_point("/proc")


def test_an_error_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)) as refused:
        bind_mounts.detach(str(tmp_path))
    assert refused.value.errno == errno.EINVAL
