from __future__ import annotations

import errno
import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest

from fsrvpd.core import bind_mounts, other_mounts
from fsrvpd.core.other_mounts import OtherMounts
from tests.unit.exports.conftest import InPrivate, in_private_mounts

__all__ = ["in_private_mounts"]

LISTS_MOUNTS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 8)


@pytest.mark.skipif(not LISTS_MOUNTS, reason="Linux before 6.8 does not list mounts")
def test_what_is_ours_is_no_change(tmp_path: Path, in_private_mounts: InPrivate) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    for place in (ours, others):
        (place / "inner").mkdir(parents=True)
    asked = []

    def is_own(path: bytes) -> bool:
        asked.append(path)
        return path.startswith(os.fsencode(ours))

    def test() -> None:
        mounts = OtherMounts(is_own)
        assert mounts.have_changed()
        asked.clear()
        for change in (
            lambda: bind_mounts.bind(str(others), str(ours)),
            lambda: bind_mounts.bind(str(others), str(ours / "inner")),
            lambda: bind_mounts.detach(str(ours / "inner")),
            lambda: bind_mounts.restrict(str(ours), bind_mounts.READ_ONLY),
        ):
            change()
            assert not mounts.have_changed()
        assert asked == [os.fsencode(ours), os.fsencode(ours / "inner")]

    in_private_mounts(test)


@pytest.mark.skipif(not LISTS_MOUNTS, reason="Linux before 6.8 does not list mounts")
def test_what_others_do_is_a_change(tmp_path: Path, in_private_mounts: InPrivate) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    place.mkdir()
    other.mkdir()

    def replace() -> None:
        bind_mounts.detach(str(other))
        bind_mounts.bind(str(place), str(other))

    def test() -> None:
        mounts = OtherMounts(lambda path: False)
        assert mounts.have_changed()
        for change in (
            lambda: bind_mounts.bind(str(place), str(place)),
            lambda: bind_mounts.restrict(str(place), bind_mounts.READ_ONLY),
            lambda: bind_mounts.move(str(place), str(other)),
            replace,
            lambda: bind_mounts.detach(str(other)),
        ):
            assert not mounts.have_changed()
            change()
            assert mounts.have_changed()

    in_private_mounts(test)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_that_does_not_list_them(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens may be a change then: the whole table is read."""

    def refuse(*arguments: object) -> int:
        return -number

    monkeypatch.setattr(other_mounts, "lib", SimpleNamespace(fsrvp_mounts_list=refuse))
    mounts = OtherMounts(lambda path: False)
    assert mounts.have_changed()
    assert mounts.have_changed()
