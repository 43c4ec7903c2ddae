from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord

SET = parse_guid("{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}")
RECORD = MountRecord("/run/x/mnt/job/data", "job", SET, "\\\\nas\\data@{1}", False, True, 77)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> MountFiles:
    return MountFiles(tmp_path / "state", warnings.append)


def test_a_record_is_read_as_it_was_written(store: MountFiles) -> None:
    other = RECORD._replace(point="/run/x/mnt/job/a", by_cifs=True, kept=False, pid=0)
    assert store.records() == []
    for record in (RECORD, RECORD._replace(pid=78), other):
        store.write(record)
    assert store.records() == [other, RECORD._replace(pid=78)]


def test_a_record_goes_with_what_was_written_beside_it(store: MountFiles) -> None:
    store.write(RECORD)
    store.problems_file(RECORD).write_text("{}")
    store.forget(RECORD)
    store.forget(RECORD)
    assert store.records() == []
    assert list(store.problems_file(RECORD).parent.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"point": "/x"}'])
def test_what_is_no_record_is_told_and_kept(
    store: MountFiles, warnings: list[str], text: str
) -> None:
    store.write(RECORD)
    [path] = store.problems_file(RECORD).parent.iterdir()
    path.write_text(text)
    assert store.records() == []
    assert [f"{path}: not a record of a mount" in each for each in warnings] == [True]
    assert path.exists()


def test_a_record_that_others_may_write_is_none(store: MountFiles, warnings: list[str]) -> None:
    store.write(RECORD)
    [path] = store.problems_file(RECORD).parent.iterdir()
    path.chmod(0o666)
    assert store.records() == []
    assert "others may write to it" in warnings[0]


def test_a_record_in_the_place_of_another_is_none(store: MountFiles, warnings: list[str]) -> None:
    store.write(RECORD)
    [path] = store.problems_file(RECORD).parent.iterdir()
    path.rename(path.with_name("0.json"))
    assert store.records() == []
    assert "another mount" in warnings[0]


def test_a_mount_point_has_one_owner(store: MountFiles) -> None:
    with store.lock(Path(RECORD.point)) as first, store.lock(Path(RECORD.point)) as second:
        assert first.acquire()
        assert not second.acquire()


def test_a_state_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no directory")
    with pytest.raises(RequestorError, match="cannot be written"):
        MountFiles(tmp_path / "state").write(RECORD)
