"""The end of a set from each state, on agents that differ."""

from __future__ import annotations

from typing import Optional, Sequence

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import AccessRefused, Refused
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord
from fsrvpd.requestor.protocol.exchange import Exchange, opnum_of
from fsrvpd.requestor.protocol.undo import Deletion, Ending, delete, undo
from tests.unit.protocol.server.driver import guid
from tests.unit.requestor.protocol.test_server_set import COPY, SET, record, root

MISMATCH = HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
BAD_STATE = HResult.FSRVP_E_BAD_STATE
BUSY = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
COPIES = (
    ShadowCopyRecord(COPY, root(), None, None),
    ShadowCopyRecord(guid(9), root("more"), None, None),
)


class Script:
    """Answers with results in order, and fails if there are more calls or fewer."""

    def __init__(self, *results: tuple[int, int]) -> None:
        self._results = list(results)
        self.said: list[m.Request] = []

    def drive(self, exchange: Exchange[object]) -> object:
        try:
            call = next(exchange)
            while True:
                self.said.append(call.request)
                number, result = self._results.pop(0)
                opnum = opnum_of(call.request)
                assert opnum == number
                call = exchange.send(_answer(opnum, result))
        except StopIteration as end:
            assert not self._results
            return end.value


def _answer(opnum: Opnum, result: int) -> m.Response:
    if opnum is Opnum.StartShadowCopySet and not result:
        return m.GuidResponse(0, guid(99))
    if opnum is Opnum.GetSupportedVersion:
        return m.VersionResponse(result, 1, 1)
    return m.RESPONSE_OF[opnum](result)


def at(state: SetState, set_id: Optional[bytes] = SET) -> SetRecord:
    return record(state=state, server_set_id=set_id, copies=COPIES)


UNDONE: Sequence[tuple[str, SetState, list[tuple[int, int]], Ending]] = (
    ("before the commit", SetState.ADDED, [(7, 0)], Ending.REMOVED),
    ("prepared", SetState.PREPARED, [(7, 0)], Ending.REMOVED),
    ("gone by its timer", SetState.PREPARED, [(7, MISMATCH)], Ending.UNKNOWN),
    ("committed", SetState.COMMITTED, [(7, 0), (6, MISMATCH)], Ending.REMOVED),
    ("gone", SetState.COMMITTED, [(7, MISMATCH), (6, MISMATCH)], Ending.UNKNOWN),
    (
        "committed, on Samba's agent, which keeps it",
        SetState.COMMITTED,
        [(7, 0), (6, BAD_STATE), (5, 0), (6, 0), (11, 0), (11, 0)],
        Ending.REMOVED,
    ),
    ("exposed", SetState.EXPOSED, [(6, 0), (11, 0), (11, 0)], Ending.REMOVED),
    ("recovered", SetState.RECOVERED, [(11, 0), (11, 0)], Ending.REMOVED),
    ("half deleted", SetState.REMOVING, [(11, MISMATCH), (11, 0)], Ending.REMOVED),
    (
        "recovered, though the record says exposed",
        SetState.EXPOSED,
        [(6, BAD_STATE), (11, 0), (11, 0)],
        Ending.REMOVED,
    ),
    (
        "never exposed",
        SetState.EXPOSED,
        [(6, BAD_STATE), (11, BAD_STATE), (7, 0), (6, MISMATCH)],
        Ending.REMOVED,
    ),
    (
        "never exposed, on Samba's agent",
        SetState.EXPOSED,
        [(6, BAD_STATE), (11, BAD_STATE), (7, 0), (6, BAD_STATE), (5, 0), (6, 0), (11, 0), (11, 0)],
        Ending.REMOVED,
    ),
    (
        "unknown to Windows Server 2012",
        SetState.EXPOSED,
        [(6, HResult.E_INVALIDARG), (11, HResult.E_INVALIDARG), (11, HResult.E_INVALIDARG)],
        Ending.UNKNOWN,
    ),
)


@pytest.mark.spec("3.2.4.6-1")
@pytest.mark.parametrize(
    ("state", "answers", "ending"), [row[1:] for row in UNDONE], ids=[row[0] for row in UNDONE]
)
def test_undone(state: SetState, answers: list[tuple[int, int]], ending: Ending) -> None:
    assert Script(*answers).drive(undo(at(state))) is ending


UNNAMED: Sequence[tuple[str, list[tuple[int, int]], Ending]] = (
    ("no context is set", [(2, BAD_STATE)], Ending.UNKNOWN),
    ("a context without a set", [(2, 0), (7, 0)], Ending.REMOVED),
    ("its own set", [(2, BUSY), (1, 0), (2, 0), (7, 0)], Ending.REMOVED),
    ("another client's set", [(2, BUSY), (1, BUSY)], Ending.UNKNOWN),
)


@pytest.mark.parametrize(
    ("answers", "ending"), [row[1:] for row in UNNAMED], ids=[row[0] for row in UNNAMED]
)
def test_a_set_whose_id_never_came(answers: list[tuple[int, int]], ending: Ending) -> None:
    assert Script(*answers).drive(undo(at(SetState.STARTED, None))) is ending


def test_a_set_without_an_id_that_stays_is_left() -> None:
    """Samba's agent gives way to nobody until the timer of the set ends it."""
    with pytest.raises(Refused, match="by itself within minutes"):
        Script((2, BUSY), (1, 0), (2, BUSY)).drive(undo(at(SetState.STARTED, None)))


@pytest.mark.spec("3.2.4.6-1")
def test_a_set_that_the_server_keeps_is_an_error() -> None:
    denied = HResult.E_ACCESSDENIED
    with pytest.raises(AccessRefused):
        Script((7, denied)).drive(undo(at(SetState.ADDED)))
    with pytest.raises(Refused):
        Script((11, HResult.VSS_E_PROVIDER_VETO)).drive(undo(at(SetState.RECOVERED)))
    stays = [(7, 0), (6, BAD_STATE), (5, BAD_STATE), (6, BAD_STATE), (11, BAD_STATE)]
    with pytest.raises(Refused):
        Script(*stays).drive(undo(at(SetState.COMMITTED)))


@pytest.mark.spec("3.2.4.8-3")
def test_deletion_reports_what_the_server_does_not_know() -> None:
    script = Script((0, 0), (11, 0), (11, HResult.FSRVP_E_OBJECT_NOT_FOUND))
    found = script.drive(delete(at(SetState.RECOVERED), COPIES))
    assert found == Deletion((COPIES[0],), (COPIES[1],))


def test_deletion_of_a_set_that_is_not_exposed_is_refused() -> None:
    with pytest.raises(Refused):
        Script((0, 0), (11, BAD_STATE)).drive(delete(at(SetState.RECOVERED), COPIES))


def test_every_call_names_the_servers_set() -> None:
    script = Script((7, 0), (6, BAD_STATE), (5, 0), (6, 0), (11, 0), (11, 0))
    script.drive(undo(at(SetState.COMMITTED)))
    assert all(request.shadow_copy_set_id == SET for request in script.said)  # type: ignore[union-attr]
