"""The directories before the copies of a share: never changed, always complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Sequence

import pytest

from fsrvpd.exports import gates
from fsrvpd.exports.passage import CLOSED, OPEN, Gate
from fsrvpd.protocol.exports import COPIES

STAFF, OTHERS = Gate(4321, 0o710, b""), Gate(4322, 0o710, b"")


@pytest.fixture
def key(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def stand(key: int, ways: Sequence[Gate], directory: str = "1:2", name: str = "copy") -> None:
    os.close(gates.open_copies(key, directory, ways, name))


def modes(place: Path) -> list[int]:
    """Of the directories that a user passes, the outermost first."""
    found, names = [], os.readlink(place / COPIES).split("/")[:-1]
    for name in names:
        place /= name
        found.append(place.stat().st_mode & 0o777)
    return found


def test_a_user_passes_each_gate(key: int, tmp_path: Path) -> None:
    stand(key, [STAFF, CLOSED])
    assert modes(tmp_path) == [0o710, 0o700]
    assert (tmp_path / os.readlink(tmp_path / COPIES)).parents[1].stat().st_gid == STAFF.group
    assert (tmp_path / COPIES).is_dir()


def test_without_gates_everybody_passes(key: int, tmp_path: Path) -> None:
    stand(key, [])
    assert modes(tmp_path) == [OPEN.mode]


def test_other_gates_take_the_place_of_those_before(key: int, tmp_path: Path) -> None:
    stand(key, [OPEN])
    (tmp_path / COPIES / "copy").mkdir()
    held = os.open(tmp_path / COPIES, os.O_RDONLY)
    for ways, expected in (([CLOSED, STAFF, OTHERS], [0o700, 0o710, 0o710]), ([], [0o711])):
        stand(key, ways)
        assert modes(tmp_path) == expected
        assert os.listdir(tmp_path / COPIES) == ["copy"]
        assert os.path.samestat(os.fstat(held), os.stat(tmp_path / COPIES))
        assert len(os.listdir(tmp_path)) == 3
    os.close(held)


def test_gates_that_stand_are_not_touched(key: int, tmp_path: Path) -> None:
    stand(key, [STAFF, CLOSED])
    before = (
        os.readlink(tmp_path / COPIES),
        [each.stat().st_ctime_ns for each in tmp_path.iterdir()],
    )
    stand(key, [STAFF, CLOSED])
    after = os.readlink(tmp_path / COPIES), [each.stat().st_ctime_ns for each in tmp_path.iterdir()]
    assert after == before


def test_the_gates_before_another_directory_stay_while_copies_are_there(
    key: int, tmp_path: Path
) -> None:
    """Who puts up a directory of his own in place of the share opens nothing."""
    stand(key, [CLOSED, STAFF])
    (tmp_path / COPIES / "copy").mkdir()
    stand(key, [], "1:3")
    assert modes(tmp_path) == [0o700, 0o710]
    stand(key, [STAFF])
    assert modes(tmp_path) == [0o710]  # the way to the same directory is another one now
    stand(key, [CLOSED], "")
    assert modes(tmp_path) == [0o710, 0o700]
    (tmp_path / COPIES / "copy").rmdir()
    stand(key, [], "1:3")
    assert modes(tmp_path) == [OPEN.mode]


@pytest.mark.parametrize(
    "call", ["mkdir", "chmod", "fchmod", "rename", "symlink", "unlink", "rmdir"]
)
@pytest.mark.parametrize("number", range(4))
def test_a_crash_anywhere_is_mended_by_the_next_call(
    key: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """The copies are found again, and at no time are they behind a weaker gate."""
    stand(key, [STAFF, CLOSED])
    (tmp_path / COPIES / "copy").mkdir()
    real, calls = getattr(os, call), []

    def crash(*arguments: object, **more: object) -> object:
        calls.append(arguments)
        if len(calls) > number:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, crash)
        try:
            stand(key, [CLOSED, STAFF, OTHERS])
        except KeyboardInterrupt:
            for way in tmp_path.glob("*/**/copies"):
                passed = [each.stat().st_mode & 0o777 for each in way.parents if each != tmp_path]
                assert 0o700 in passed
    stand(key, [CLOSED, STAFF, OTHERS])
    assert modes(tmp_path) == [0o700, 0o710, 0o710]
    assert os.listdir(tmp_path / COPIES) == ["copy"]
    assert len(os.listdir(tmp_path)) == 3


def test_gates_of_which_a_crash_has_left_a_part_are_built_again(key: int, tmp_path: Path) -> None:
    stand(key, [CLOSED, STAFF])
    before = tmp_path / os.readlink(tmp_path / COPIES).partition("/")[0]
    stand(key, [])
    before.mkdir()
    stand(key, [CLOSED, STAFF])
    assert modes(tmp_path) == [0o700, 0o710]


@pytest.mark.parametrize("end", ["known", "removed"])
def test_the_next_copy_opens_none_whose_way_is_unknown(key: int, tmp_path: Path, end: str) -> None:
    """Somebody has put up a directory of his own, and it is the one that is copied next."""
    stand(key, [CLOSED], "")
    (tmp_path / COPIES / "copy").mkdir()
    stand(key, [STAFF], "1:3", "next")
    (tmp_path / COPIES / "next").mkdir()
    assert modes(tmp_path) == [0o700, 0o710]
    if end == "known":
        stand(key, [], "1:2")
    else:
        (tmp_path / COPIES / "copy").rmdir()
        stand(key, [STAFF], "1:3", "next")
    assert modes(tmp_path) == [0o710]
