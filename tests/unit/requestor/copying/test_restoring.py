"""A mirror that lacks something is not restored as if it were whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from fsrvpd.requestor.copying.local_directory import LocalDirectory
from fsrvpd.requestor.copying.mirror_directory import MirrorDirectory, look_at_mirror, open_mirror
from fsrvpd.requestor.copying.restoring import Restoration
from fsrvpd.requestor.copying.shortfalls import Shortfall, Shortfalls
from fsrvpd.requestor.copying.side_file import DATABASE, FOLDER, PARTS, TOP
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.files.writing import Facts, Pieces
from tests.unit.requestor.copying.entries import entry, folder


class Target:
    """What is written to a share."""

    def __init__(self) -> None:
        self.written: Dict[str, bytes] = {}

    def make_directory(self, path: str) -> None:
        return

    def write(
        self, path: str, size: int, pieces: Pieces, *, stream: str = "", sparse: bool = False
    ) -> None:
        data = bytearray(size)
        for offset, piece in pieces():
            data[offset : offset + len(piece)] = piece
        self.written[path] = bytes(data)

    def set_facts(self, path: str, facts: Facts, *, is_directory: bool) -> Sequence[str]:
        return ()


def restored(mirror: MirrorDirectory) -> tuple[Dict[str, bytes], List[Shortfall]]:
    target, lacking = Target(), list[Shortfall]()
    shortfalls = Shortfalls(lacking.append)
    Restoration(mirror.side, target, shortfalls, Totals()).run(mirror.top)
    return target.written, lacking


def add(mirror: MirrorDirectory, name: str, *, has_facts: bool = True) -> None:
    """A file of five bytes that was copied."""
    (Path(mirror.path) / name).write_bytes(b"12345")
    id = mirror.side.put(TOP, entry(name))
    if has_facts:
        mirror.side.set_has_facts(id)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with open_mirror(str(tmp_path)) as mirror:
        mirror.side.begin_run(r"\\nas\data")
        mirror.side.set_has_facts(mirror.side.put(TOP, folder("")))
        mirror.side.commit()
    return tmp_path


def test_what_is_whole_comes_back_without_a_word(directory: Path) -> None:
    with open_mirror(str(directory)) as mirror:
        add(mirror, "f")
        assert restored(mirror) == ({"f": b"12345"}, [])


def test_permissions_that_were_not_copied_are_told(directory: Path) -> None:
    with open_mirror(str(directory)) as mirror:
        add(mirror, "f", has_facts=False)
        _, lacking = restored(mirror)
    assert [each.path for each in lacking] == ["f"]
    assert "permissions" in lacking[0].cause


def test_a_file_that_was_cut_off_here_is_told(directory: Path) -> None:
    with open_mirror(str(directory)) as mirror:
        add(mirror, "f")
        (directory / "f").write_bytes(b"123")
        written, lacking = restored(mirror)
    assert written == {"f": b"123"}
    assert [(each.path, each.cause[:18]) for each in lacking] == [("f", "it has 3 bytes her")]


def test_a_pipe_in_place_of_a_file_does_not_keep_it_waiting(directory: Path) -> None:
    with open_mirror(str(directory)) as mirror:
        add(mirror, "f")
        (directory / "f").unlink()
        os.mkfifo(directory / "f")
        assert [each.path for each in restored(mirror)[1]] == ["f"]


def test_a_medium_that_is_read_only(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made on it, and two may read it."""
    with open_mirror(str(directory)) as mirror:
        add(mirror, "f")
        mirror.side.commit()
    (directory / FOLDER / PARTS).rmdir()
    os.chmod(directory / FOLDER / DATABASE, 0o400)
    before = sorted(directory.rglob("*"))
    monkeypatch.setattr(LocalDirectory, "is_writable", lambda self: False)
    first, second = look_at_mirror(str(directory)), look_at_mirror(str(directory))
    assert first is not None
    assert second is not None
    with first, second:
        assert restored(first) == ({"f": b"12345"}, [])
        with pytest.raises(RequestorError, match=r"readonly.*where you may write"):
            second.side.begin_run("nas")
    assert sorted(directory.rglob("*")) == before
    with pytest.raises(RequestorError, match="cannot be written to"):
        open_mirror(str(directory))
