"""Small files: whole at every moment, and read only if nobody else may write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state import durable

MOST = 100


def test_a_file_is_replaced_and_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    durable.replace(path, b"before")
    done: list[str] = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), replace(*names)))
    durable.replace(path, b"after")
    assert done == ["fsync", "replace", "fsync"]
    assert durable.load(path, MOST) == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_writer_that_is_killed_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*names: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "x.json"
    durable.replace(path, b"before")
    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        durable.replace(path, b"after")
    assert durable.load(path, MOST) == b"before"
    assert sorted(os.listdir(tmp_path)) == ["x.json", "x.json" + durable.NEW]


def test_directories_are_for_their_owner_alone(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    durable.make_directories(tmp_path / "a", inner)
    durable.make_directories(tmp_path / "a", inner)
    assert [path.stat().st_mode & 0o777 for path in (inner.parent, inner)] == [0o700, 0o700]


def test_what_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(bytes(MOST + 1))
    (tmp_path / "directory").mkdir()
    (tmp_path / "open").touch()
    (tmp_path / "open").chmod(0o622)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("long")
    for name in ("long", "directory", "open", "pipe", "link"):
        with pytest.raises(durable.Unreadable, match=r"size|others|symbolic|directory"):
            durable.load(tmp_path / name, MOST)
    with pytest.raises(FileNotFoundError):
        durable.load(tmp_path / "missing", MOST)


def test_a_directory_that_others_may_write(tmp_path: Path) -> None:
    durable.check_owner(tmp_path)
    durable.check_owner(tmp_path / "missing")
    tmp_path.chmod(0o777)
    with pytest.raises(RequestorError, match=r"others may write to the directory.*; chown"):
        durable.check_owner(tmp_path)
