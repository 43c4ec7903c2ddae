"""delete-set and abort-set are answered when the set is removed, or cannot be."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.daemon.control.set_removal import SetRemoval, parse_set_id
from fsrvpd.daemon.log.events import report
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import ShadowCopySet, Status
from tests.unit.daemon.control.examples import (
    SET,
    SET_ID,
    SHARE,
    RecordedRequest,
    SetsView,
    recovered_set,
)

log = logging.getLogger("fsrvpd.test")


class Removal:
    """The two messages, with one set. `removed` lists the sets whose removal has started."""

    def __init__(self) -> None:
        self.set: ShadowCopySet = recovered_set()
        self.removed: list[Any] = []
        driver: Any = SimpleNamespace(
            view=SetsView(self.set),
            remove_set=lambda set_id, why: self.removed.append((set_id, why)),
        )
        self._removal = SetRemoval(driver)

    def ask(self, message: str, *parameters: str) -> RecordedRequest:
        request: Any = RecordedRequest()
        {"delete": self._removal.delete, "abort": self._removal.abort}[message](parameters, request)
        return request  # type: ignore[no-any-return]


@pytest.fixture
def removal() -> Removal:
    return Removal()


def test_the_reply_waits_for_the_end(removal: Removal) -> None:
    request = removal.ask("delete", SET_ID)
    assert removal.removed == [(SET, "an admin deleted it")]
    report(log, "set-removing", "it begins", set=SET_ID)
    report(log, "set-removed", "another one", set="{00000000-0000-0000-0000-000000000000}")
    assert not request.is_answered
    report(log, "set-removed", "it ends", set=SET_ID)
    assert request.result["removed"]
    assert request.result["shares"] == [SHARE]
    assert [event["text"] for event in request.events] == ["it begins", "it ends"]
    request.close()
    report(log, "set-removed", "", set=SET_ID)
    assert len(request.events) == 2


def test_a_failure_is_the_answer(removal: Removal) -> None:
    request = removal.ask("delete", SET_ID)
    report(log, "removal-failed", "the disk hangs", set=SET_ID)
    assert request.error == "the disk hangs"
    request.close()


def test_a_dry_run_removes_nothing(removal: Removal) -> None:
    request = removal.ask("delete", SET_ID, "--dry-run")
    assert not request.result["removed"]
    assert removal.removed == []


def test_a_set_under_removal_is_waited_for(removal: Removal) -> None:
    """The agent knows whether to try again."""
    removal.set.removing = True
    request = removal.ask("abort", SET_ID)
    assert removal.removed == [(SET, "an admin aborted it")]
    report(log, "set-removed", "", set=SET_ID)
    assert request.result["set"] == SET_ID
    request.close()


def test_abort_refuses_a_set_that_may_be_read(removal: Removal) -> None:
    with pytest.raises(FsrvpdError, match=r"is Recovered: .* delete-set"):
        removal.ask("abort", SET_ID)
    removal.set.status = Status.EXPOSED
    removal.ask("abort", SET_ID).close()
    assert removal.removed == [(SET, "an admin aborted it")]


@pytest.mark.parametrize("parameters", [(), (SET_ID, SET_ID), ("--dry-run",)])
def test_usage(removal: Removal, parameters: tuple[str, ...]) -> None:
    with pytest.raises(FsrvpdError, match="usage: delete-set ID"):
        removal.ask("delete", *parameters)


def test_what_is_no_id_and_what_is_no_set(removal: Removal) -> None:
    assert parse_set_id(SET_ID) == SET
    with pytest.raises(FsrvpdError, match="seven is not the id of a set"):
        removal.ask("delete", "seven")
    with pytest.raises(FsrvpdError, match="there is no shadow copy set"):
        removal.ask("delete", "{00000000-0000-0000-0000-000000000000}")
