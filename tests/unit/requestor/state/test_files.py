"""Records on disk: replaced whole, kept apart, and what is no record is told and kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import SetRecord, SetState
from fsrvpd.requestor.state import files
from fsrvpd.requestor.state.files import StateFiles, default_directory
from tests.unit.requestor.state.test_document import EXAMPLE

OTHER = EXAMPLE._replace(set_id=bytes(15) + b"\1", started=0.5)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> StateFiles:
    return StateFiles(tmp_path / "state", warnings.append)


def only_file(store: StateFiles) -> Path:
    [path] = (store.directory / "sets").iterdir()
    return path


@pytest.mark.spec("3.2.3-2")
def test_records_are_kept_until_they_are_forgotten(store: StateFiles) -> None:
    assert store.records() == []
    store.write(EXAMPLE)
    store.write(OTHER)
    assert store.records() == [OTHER, EXAMPLE]
    store.forget(OTHER)
    store.forget(OTHER)
    assert StateFiles(store.directory).records() == [EXAMPLE]


def test_a_deep_directory_is_no_hindrance(store: StateFiles) -> None:
    record = with_name(prefix="x" * 4000)
    store.write(record)
    assert store.records() == [record]


@pytest.mark.parametrize("name", ["x" * 1025, "a\x85b", "a\u200eb", "\udce9"])
def test_what_could_not_be_read_again_is_not_written(store: StateFiles, name: str) -> None:
    """Else a set would be made that nobody could list, delete or clean."""
    with pytest.raises(RequestorError, match="could not be read again"):
        store.write(with_name(shadow_share=name))
    assert store.records() == []


def with_name(prefix: str = "", shadow_share: str = "data@{1}") -> SetRecord:
    first = EXAMPLE.copies[0]
    root = first.root._replace(given=f"{first.root.unc}\\{prefix}", prefix=prefix)
    return EXAMPLE._replace(copies=(first._replace(root=root, shadow_share=shadow_share),))


def test_a_record_is_replaced(store: StateFiles) -> None:
    store.write(EXAMPLE)
    store.write(EXAMPLE._replace(state=SetState.REMOVING))
    assert [record.state for record in store.records()] == [SetState.REMOVING]


def test_one_set_has_a_record_for_each_server(store: StateFiles) -> None:
    for record in (EXAMPLE, EXAMPLE._replace(server="fs2"), EXAMPLE._replace(owner="node1")):
        store.write(record)
    store.write(OTHER)
    assert len(store.records()) == 4
    assert len(store.records(EXAMPLE.set_id)) == 3


def test_only_the_user_may_read(store: StateFiles) -> None:
    store.write(EXAMPLE)
    assert store.directory.stat().st_mode & 0o077 == 0
    assert only_file(store).stat().st_mode & 0o077 == 0


def test_a_record_is_synced_before_write_returns(
    store: StateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(EXAMPLE)
    done: list[str] = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), replace(*names)))
    store.write(EXAMPLE)
    assert done == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000])
def test_what_is_no_record_is_told_and_kept(
    store: StateFiles, warnings: list[str], data: bytes
) -> None:
    store.write(EXAMPLE)
    path = only_file(store)
    path.write_bytes(data)
    store.write(OTHER)
    assert store.records() == [OTHER]
    assert [str(path) in text for text in warnings] == [True]
    assert store.damaged() == [path]
    assert path.read_bytes() == data


def test_other_kinds_of_files_are_no_records(store: StateFiles, warnings: list[str]) -> None:
    store.write(EXAMPLE)
    path = only_file(store)
    data = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    (path.parent / "directory.json").mkdir()
    (path.parent / "link.json").symlink_to(path.parent / "elsewhere")
    (path.parent / "elsewhere").write_bytes(data)
    assert store.records() == []
    assert len(warnings) == 3


def test_a_file_that_others_may_write_is_no_record(store: StateFiles, warnings: list[str]) -> None:
    store.write(EXAMPLE)
    only_file(store).chmod(0o666)
    assert store.records() == []
    assert "others may write" in warnings[0]


def test_a_directory_that_others_may_write_is_not_used(store: StateFiles) -> None:
    store.write(EXAMPLE)
    store.directory.chmod(0o777)
    for use in (lambda: store.write(EXAMPLE), lambda: store.lock("job x")):
        with pytest.raises(RequestorError, match=r"others may write to the directory.*; chown"):
            use()


def test_what_is_no_lock_does_not_hinder_clean(store: StateFiles) -> None:
    with store.lock("job x") as lock:
        assert lock.acquire()
    locks = store.directory / "locks"
    (locks / "0").mkdir()
    (locks / "1").symlink_to("/etc/passwd")
    (locks / "2").touch()
    store.tidy()
    assert sorted(path.name for path in locks.iterdir()) == ["0", "1"]


def test_a_record_under_the_name_of_another_is_none(store: StateFiles, warnings: list[str]) -> None:
    store.write(EXAMPLE)
    path = only_file(store)
    path.rename(path.with_name("other.json"))
    assert store.records() == []
    assert "another set" in warnings[0]


def test_what_a_killed_writer_leaves_is_not_read(
    store: StateFiles, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*names: Any) -> None:
        raise KeyboardInterrupt

    store.write(EXAMPLE)
    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(EXAMPLE._replace(state=SetState.REMOVING))
    assert store.records() == [EXAMPLE]
    assert warnings == []
    with store.lock_of_set(EXAMPLE.set_id) as writer:
        assert writer.acquire()
        store.tidy()
        assert len(list((store.directory / "sets").iterdir())) == 2
    store.tidy()
    assert only_file(store).suffix == ".json"


def test_a_full_disk_is_an_error_before_the_call(
    store: StateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(EXAMPLE)

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RequestorError, match="No space left"):
        store.write(EXAMPLE._replace(state=SetState.REMOVING))
    assert store.records() == [EXAMPLE]


def test_where_state_is_kept() -> None:
    assert default_directory({}, 0) == Path("/var/lib/fsrvpshadow")
    assert default_directory({"XDG_STATE_HOME": "/x"}, 5) == Path("/x/fsrvpshadow")
    home = {"HOME": "/home/a", "XDG_STATE_HOME": "relative"}
    assert default_directory(home, 5) == Path("/home/a/.local/state/fsrvpshadow")


def test_locks_that_nobody_holds_are_removed(store: StateFiles) -> None:
    killed, held = store.lock("job a"), store.lock("job b")
    assert killed.acquire()
    assert held.acquire()
    assert killed._file is not None
    os.close(killed._file)  # as the kernel does when a process ends
    store.tidy()
    assert [path == held.path for path in held.path.parent.iterdir()] == [True]
    held.release()
    store.tidy()
    assert list(held.path.parent.iterdir()) == []


def test_locks_are_of_one_name(store: StateFiles) -> None:
    with store.lock("job a", holder="process 5") as mine:
        assert mine.acquire()
        assert not store.lock("job a").acquire()
        assert store.lock("job a").held_by() == "process 5"
        with store.lock("job b") as other:
            assert other.acquire()
