"""Descriptors of directories."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd, exists, exists_at


def test_a_descriptor_is_closed_whatever_happens_in_the_block(tmp_path: Path) -> None:
    with pytest.raises(KeyError), closing_fd(os.open(tmp_path, DIRECTORY_FLAGS)) as fd:
        raise KeyError
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


def test_a_link_is_opened_for_no_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        os.open(tmp_path / "link", DIRECTORY_FLAGS)


def test_a_link_that_leads_nowhere_exists(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "a" / "b").mkdir(parents=True)
    with closing_fd(os.open(tmp_path, DIRECTORY_FLAGS)) as fd:
        assert all(exists_at(name, fd) for name in ("link", "a", "a/b"))
        assert not exists_at("nowhere", fd)


def test_a_path_exists_whatever_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_text("")
    assert exists(str(tmp_path / "link"))
    assert exists(str(tmp_path / "file"))
    assert not exists(str(tmp_path / "nowhere"))
    assert not exists(str(tmp_path / "file" / "below"))


def test_a_volume_that_is_out_of_reach_does_not_say_that_a_path_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shut_down(path: str, **unused: object) -> os.stat_result:
        raise OSError(errno.ESHUTDOWN, os.strerror(errno.ESHUTDOWN), path)

    monkeypatch.setattr(os, "stat", shut_down)
    with pytest.raises(OSError, match="shutdown"):
        exists("/volume/.fsrvpd")
