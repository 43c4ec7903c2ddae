from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from fsrvpd.core import handles
from fsrvpd.errors import NotOurs
from fsrvpd.providers.catalog import own_directory
from fsrvpd.providers.catalog.own_directory import ensure, find, has_record
from fsrvpd.providers.catalog.volume import open_directory

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root opens files by handle")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    with open_directory(str(tmp_path)) as fd:
        yield fd


def aside(root: int) -> List[str]:
    return [name for name in os.listdir(root) if name.startswith(".fsrvpd.not-ours-")]


def test_it_is_made_once(root: int, tmp_path: Path) -> None:
    assert find(root, str(tmp_path)) is None
    assert not has_record(root)
    made = os.fstat(ensure(root, str(tmp_path)))
    assert has_record(root)
    for again in (find(root, str(tmp_path)), ensure(root, str(tmp_path))):
        assert again is not None
        assert os.path.samestat(made, os.fstat(again))
    assert os.listdir(root) == [".fsrvpd"]


def test_of_two_at_once_the_second_uses_what_the_first_has_made(
    root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has found none before the first has made it."""
    look = own_directory._find
    made: List[int] = []

    def look_too_early(directory: int, path: str) -> object:
        found = look(directory, path)
        monkeypatch.setattr(own_directory, "_find", look)
        made.append(ensure(directory, path))
        return found

    monkeypatch.setattr(own_directory, "_find", look_too_early)
    second = ensure(root, str(tmp_path))
    assert os.path.samestat(os.fstat(second), os.fstat(made[0]))
    assert os.listdir(root) == [".fsrvpd"]


def test_one_that_others_could_write_to_is_not_taken_over(root: int, tmp_path: Path) -> None:
    (tmp_path / ".fsrvpd").mkdir()
    (tmp_path / ".fsrvpd").chmod(0o777)
    assert find(root, str(tmp_path)) is None
    os.close(ensure(root, str(tmp_path)))
    assert (tmp_path / ".fsrvpd").stat().st_mode & 0o777 == 0o700
    assert len(aside(root)) == 1


def test_a_directory_of_root_that_is_not_ours_is_not_taken_over(root: int, tmp_path: Path) -> None:
    (tmp_path / ".fsrvpd").mkdir()
    (tmp_path / ".fsrvpd/of an admin").touch()
    assert find(root, str(tmp_path)) is None
    os.close(ensure(root, str(tmp_path)))
    [name] = aside(root)
    assert (tmp_path / name / "of an admin").exists()


def test_one_that_was_opened_to_others_is_refused(root: int, tmp_path: Path) -> None:
    os.close(ensure(root, str(tmp_path)))
    (tmp_path / ".fsrvpd/.marks").chmod(0o777)
    for use in (find, ensure):
        with pytest.raises(NotOurs, match="can be written by others"):
            use(root, str(tmp_path))


@pytest.mark.parametrize("text", [b"", b"x", b"a b", b"a zz zz", b"\xff \xff \xff", b"a b c d"])
def test_a_record_that_is_none_is_replaced(root: int, tmp_path: Path, text: bytes) -> None:
    os.setxattr(root, own_directory.ATTRIBUTE, text)
    assert not has_record(root)
    os.close(ensure(root, str(tmp_path)))
    assert has_record(root)


def test_one_of_an_earlier_version_is_closed(root: int, tmp_path: Path) -> None:
    (tmp_path / ".fsrvpd/.marks").mkdir(parents=True)
    (tmp_path / ".fsrvpd").chmod(0o755)
    os.close(ensure(root, str(tmp_path)))
    assert (tmp_path / ".fsrvpd").stat().st_mode & 0o777 == 0o700
    assert aside(root) == []


@needs_root
def test_it_gets_its_name_back(root: int, tmp_path: Path) -> None:
    made = ensure(root, str(tmp_path))
    (tmp_path / ".fsrvpd").rename(tmp_path / "hidden")
    (tmp_path / ".fsrvpd").touch()
    found = find(root, str(tmp_path))
    assert found is not None
    assert os.path.samestat(os.fstat(made), os.fstat(found))
    assert sorted(os.listdir(root)) == [".fsrvpd", *aside(root)]


def test_without_handles_a_renamed_one_is_not_taken_for_gone(
    root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(handles, "handle_of", refuse)
    os.close(ensure(root, str(tmp_path)))
    (tmp_path / ".fsrvpd").rename(tmp_path / "hidden")
    for use in (find, ensure):
        with pytest.raises(NotOurs, match="give the directory that fsrvpd made its name again"):
            use(root, str(tmp_path))
    (tmp_path / "hidden").rename(tmp_path / ".fsrvpd")
    assert find(root, str(tmp_path)) is not None


def test_a_volume_that_does_not_answer_keeps_no_other_waiting(root: int, tmp_path: Path) -> None:
    done: List[int] = []
    thread = threading.Thread(target=lambda: done.append(ensure(root, str(tmp_path))), daemon=True)
    with open_directory("/proc") as other, own_directory._change_of(other):
        thread.start()
        thread.join(20)
        assert done, "it waits for the change of another volume"
