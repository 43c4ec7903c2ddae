"""The mounts of `clean`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsrvpd.core.messages import Guid, parse_guid
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.ctl import left_mounts
from fsrvpd.requestor.ctl.left_mounts import clean_job, clean_mounts, end_sets
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord
from tests.unit.requestor.ctl.fake_requestor import SET, FakeRequestor

SET_ID = parse_guid(SET)


@pytest.fixture
def store(tmp_path: Path) -> MountFiles:
    return MountFiles(tmp_path / "state")


def add(store: MountFiles, name: str, *, kept: bool, set_id: Guid = SET_ID) -> MountRecord:
    record = MountRecord(f"/nowhere/{name}", "job", set_id, r"\\nas\x", False, kept, 0)
    store.write(record)
    return record


def clean(store: MountFiles, requestor: FakeRequestor, *, dry_run: bool = False) -> bool:
    return clean_mounts(
        store,
        lambda job: requestor,  # type: ignore[arg-type, return-value]
        Output(),
        dry_run=dry_run,
    )


def test_a_set_that_was_made_for_a_dead_mount_is_deleted(
    store: MountFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    add(store, "a", kept=True)
    add(store, "b", kept=True)
    requestor = FakeRequestor()
    assert clean(store, requestor)
    assert requestor.log == [("delete", SET_ID, None)]
    assert capsys.readouterr().out == "/nowhere/a: unmounted\n/nowhere/b: unmounted\n"


def test_a_set_is_not_deleted_while_one_of_its_mounts_is_used(store: MountFiles) -> None:
    used = add(store, "a", kept=True)
    add(store, "b", kept=True)
    requestor = FakeRequestor()
    with store.lock(Path(used.point)) as lock:
        lock.acquire()
        assert clean(store, requestor)
    assert requestor.log == []
    assert store.records() == [used]


def test_the_set_of_a_killed_run_is_left_to_the_cleaning_of_sets(store: MountFiles) -> None:
    add(store, "a", kept=False)
    requestor = FakeRequestor()
    assert clean(store, requestor)
    assert requestor.log == []


def test_a_dry_run_says_what_would_be_done(
    store: MountFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    record = add(store, "a", kept=True)
    requestor = FakeRequestor()
    assert clean(store, requestor, dry_run=True)
    assert (requestor.log, store.records()) == ([], [record])
    assert capsys.readouterr().out == "/nowhere/a: would be unmounted\n"


@pytest.mark.parametrize(
    ("result", "is_clean"),
    [(HResult.FSRVP_E_OBJECT_NOT_FOUND, True), (HResult.E_ACCESSDENIED, False)],
)
def test_a_set_that_cannot_be_deleted(store: MountFiles, result: int, is_clean: bool) -> None:
    add(store, "a", kept=True)
    requestor = FakeRequestor()
    requestor.error = RequestorError("nas", "refused", "", result=result)
    assert clean(store, requestor) == is_clean
    assert bool(store.records()) != is_clean, "what could not be deleted is tried again"


def test_one_set_that_cannot_be_deleted_keeps_no_other(
    store: MountFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    add(store, "a", kept=True)
    add(store, "b", kept=True, set_id=bytes(16))
    requestor = FakeRequestor()
    requestor.error = RequestorError("nas", "refused", "")
    assert not clean(store, requestor)
    assert {set_id for _, set_id, _ in requestor.log} == {SET_ID, bytes(16)}
    assert capsys.readouterr().err.count("nas: refused") == 2


def test_who_made_the_sets_of_a_job_deletes_them(store: MountFiles) -> None:
    add(store, "a", kept=True)
    asked: list[str] = []

    def cleaner(job: str) -> Any:
        asked.append(job)
        return FakeRequestor()

    assert clean_mounts(store, cleaner, Output(), dry_run=False)
    assert asked == ["job"]


def test_a_mount_is_forgotten_after_its_set_is_deleted(store: MountFiles) -> None:
    """Whoever is killed in between leaves the record, so that `clean` deletes the set."""
    record = add(store, "a", kept=True)
    seen: list[Any] = []

    class Deleting(FakeRequestor):
        def delete(self, *ignored: object) -> None:
            seen.append(store.records())

    assert clean(store, Deleting())
    assert seen == [[record]]
    assert store.records() == []


def test_of_two_that_end_a_mount_of_one_set_each_the_second_deletes_it(store: MountFiles) -> None:
    one, two = add(store, "a", kept=True), add(store, "b", kept=True)
    requestor: Any = FakeRequestor()
    assert end_sets([one], store, lambda job: requestor) == []
    assert (requestor.log, store.records()) == ([], [two])
    assert end_sets([two], store, lambda job: requestor) == []
    assert (requestor.log, store.records()) == ([("delete", SET_ID, None)], [])


def test_only_one_at_a_time_looks_whether_a_set_has_other_mounts(
    store: MountFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_mounts, "_LONGEST_LOOK", 0.0)
    record = add(store, "a", kept=True)
    requestor: Any = FakeRequestor()
    with store.lock_of_set(SET_ID) as lock:
        assert lock.acquire()
        [error] = end_sets([record], store, lambda job: requestor)
    assert error.exit_status == 4
    assert (requestor.log, store.records()) == ([], [record])


def test_what_is_left_of_a_job_is_ended_before_it_is_mounted(
    store: MountFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    add(store, "a", kept=True)
    other = add(store, "b", kept=True, set_id=bytes(16))._replace(job="other")
    of_run = add(store, "c", kept=False, set_id=bytes(15) + b"1")
    store.write(other)
    requestor: Any = FakeRequestor()
    clean_job("job", store, requestor, Output())
    assert requestor.log == [("delete", SET_ID, None)]
    assert store.records() == [other, of_run]
    requestor.error = RequestorError("nas", "refused", "")
    clean_job("other", store, requestor, Output())
    assert "what an earlier mount of job other left is still there: nas: refused" in (
        capsys.readouterr().err
    )
