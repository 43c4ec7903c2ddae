"""The client's set: its calls in order, what stands in the record before each, and refusals."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import Refused, RequestorError, ServerBusy
from fsrvpd.requestor.ports import CALL_TIMEOUT, SetRecord, SetState, ShareRoot
from fsrvpd.requestor.protocol.exchange import Exchange, opnum_of
from fsrvpd.requestor.protocol.server_set import ServerSet
from tests.unit.protocol.server.driver import guid

SET, COPY = guid(7), guid(8)
MAPPING = m.ShareMapping1(SET, COPY, "\\\\nas\\data", "data@{8}", 130_000_000_000_000_000)
GOOD: dict[Opnum, m.Response] = {
    Opnum.StartShadowCopySet: m.GuidResponse(0, SET),
    Opnum.AddToShadowCopySet: m.GuidResponse(0, COPY),
    Opnum.GetShareMapping: m.ShareMappingResponse(0, 1, MAPPING),
}


def root(share: str = "data") -> ShareRoot:
    return ShareRoot(f"\\\\nas\\{share}", f"\\\\nas\\{share}", "nas", share, "")


def record(**fields: Any) -> SetRecord:
    given: dict[str, Any] = {
        "set_id": guid(1),
        "server": "nas",
        "server_set_id": None,
        "context": 0,
        "state": SetState.STARTED,
        "copies": (),
        "owner": None,
        "job": "",
        "started": 1.0,
        "pid": 1,
        **fields,
    }
    return SetRecord(**given)


class Driver:
    """Answers each call as an agent does, except those in `answers`, and remembers them."""

    def __init__(self, **answers: m.Response) -> None:
        self.answers = {**GOOD, **{Opnum[name]: answer for name, answer in answers.items()}}
        self.calls: list[Opnum] = []
        self.time_outs: list[int] = []
        self.records: dict[Opnum, Optional[SetRecord]] = {}

    def drive(self, exchange: Exchange[Any]) -> Any:
        try:
            call = next(exchange)
            while True:
                opnum = opnum_of(call.request)
                self.calls.append(opnum)
                if time_out := getattr(call.request, "timeout_in_milliseconds", None):
                    self.time_outs.append(time_out)
                self.records.setdefault(opnum, call.record)
                answer = self._of_its_own(opnum) or m.RESPONSE_OF[opnum](0)
                call = exchange.send(answer)
        except StopIteration as end:
            return end.value

    def _of_its_own(self, opnum: Opnum) -> Optional[m.Response]:
        """Each copy has an id and a share of its own, unless `answers` says otherwise."""
        answer, number = self.answers.get(opnum), self.calls.count(opnum) - 1
        if number and answer is GOOD.get(opnum):
            if isinstance(answer, m.GuidResponse):
                return m.GuidResponse(0, guid(8 + number))
            name = f"data@{{{8 + number}}}"
            mapping = MAPPING._replace(shadow_copy_share_name=name)
            return m.ShareMappingResponse(0, 1, mapping)
        return answer

    def create(self, server_set: ServerSet) -> None:
        self.drive(server_set.start())
        self.drive(server_set.add_and_prepare([guid(2)] * len(server_set.roots)))
        server_set.about_to_commit()
        self.drive(server_set.commit())
        self.drive(server_set.expose())


@pytest.mark.spec("3.2.4.2.1-5")
@pytest.mark.spec("3.2.4.2.1-6")
@pytest.mark.spec("3.2.4.2.2-3")
@pytest.mark.spec("3.2.4.2.2-5")
@pytest.mark.spec("3.2.4.3-1")
@pytest.mark.spec("3.2.4.4-2")
@pytest.mark.spec("3.2.4.4-3")
@pytest.mark.spec("3.2.4.5-2")
def test_the_order_of_windows_clients() -> None:
    driver = Driver()
    driver.create(ServerSet(record(), [root(), root("more")]))
    assert [int(opnum) for opnum in driver.calls] == [1, 2, 3, 3, 12, 4, 5, 10, 10, 6]


@pytest.mark.spec("3.2.2-1")
def test_a_call_may_last_180_seconds() -> None:
    assert CALL_TIMEOUT == 180


@pytest.mark.spec("3.2.3-3")
def test_the_time_outs_of_windows_clients() -> None:
    driver = Driver()
    driver.create(ServerSet(record(), [root()]))
    assert driver.time_outs == [1_800_000, 60_000, 1_800_000]


@pytest.mark.spec("3.2.4.2.1-7")
@pytest.mark.spec("3.2.4.2.2-4")
@pytest.mark.spec("3.2.4.3-2")
def test_what_is_written_before_a_call_says_what_it_may_do() -> None:
    driver = Driver()
    driver.create(ServerSet(record(), [root()]))
    written = {opnum: each for opnum, each in driver.records.items() if each is not None}
    assert {opnum: each.state for opnum, each in written.items()} == {
        Opnum.SetContext: SetState.STARTED,
        Opnum.AddToShadowCopySet: SetState.ADDED,
        Opnum.ExposeShadowCopySet: SetState.EXPOSED,
    }
    assert written[Opnum.SetContext].server_set_id is None
    assert written[Opnum.AddToShadowCopySet].server_set_id == SET
    assert [copy.copy_id for copy in written[Opnum.ExposeShadowCopySet].copies] == [COPY]


@pytest.mark.spec("3.2.4.4-4")
@pytest.mark.spec("3.2.4.5-3")
def test_the_record_at_the_end() -> None:
    server_set = ServerSet(record(), [root()])
    Driver().create(server_set)
    assert server_set.record.state is SetState.RECOVERED
    [copy] = server_set.record.copies
    assert copy.shadow_share == "data@{8}"
    assert copy.created == MAPPING.creation_timestamp


def test_names_of_shares_end_in_a_backslash() -> None:
    exchange = ServerSet(record(), [root("hidden$")]).start()
    next(exchange)
    exchange.send(m.StatusResponse(0))
    server_set = ServerSet(record(server_set_id=SET), [root("hidden$")])
    call = next(server_set.add_and_prepare([guid(2)]))
    assert isinstance(call.request, m.AddToShadowCopySet)
    assert call.request.share_name == "\\\\nas\\hidden$\\"


@pytest.mark.spec("3.2.4.2.1-5")
@pytest.mark.spec("3.2.4.2.1-6")
@pytest.mark.parametrize("method", ["SetContext", "StartShadowCopySet"])
@pytest.mark.parametrize(
    "result", [HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, HResult.FSRVP_E_BAD_STATE]
)
def test_a_server_that_creates_for_another_is_busy(method: str, result: HResult) -> None:
    server_set = ServerSet(record(), [root()])
    driver = Driver(**{method: m.RESPONSE_OF[Opnum[method]](result)})
    with pytest.raises(ServerBusy) as caught:
        driver.drive(server_set.start())
    assert caught.value.exit_status == 4
    assert not server_set.left


@pytest.mark.spec("3.2.4.2.2-3")
@pytest.mark.spec("3.2.4.2.2-5")
@pytest.mark.spec("3.2.4.3-1")
@pytest.mark.parametrize(
    "method", ["AddToShadowCopySet", "PrepareShadowCopySet", "CommitShadowCopySet"]
)
def test_a_refusal_names_object_method_and_result(method: str) -> None:
    server_set = ServerSet(record(), [root()])
    driver = Driver(**{method: m.RESPONSE_OF[Opnum[method]](HResult.VSS_E_PROVIDER_VETO)})
    with pytest.raises(Refused) as caught:
        driver.create(server_set)
    assert caught.value.result == HResult.VSS_E_PROVIDER_VETO
    assert caught.value.object in ("nas", "\\\\nas\\data")
    assert method in str(caught.value)
    assert server_set.left


@pytest.mark.parametrize(
    "name",
    [None, "", "a\\b", "\\\\other\\share", "a/b", "..", "a\nb", "\ud800", "a\x1b[2J", "a\u200b"],
)
def test_a_name_of_the_server_that_is_no_share_is_refused(name: Optional[str]) -> None:
    bad = m.ShareMappingResponse(0, 1, MAPPING._replace(shadow_copy_share_name=name))
    with pytest.raises(Refused) as caught:
        Driver(GetShareMapping=bad).create(ServerSet(record(), [root()]))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["data", "DATA", "more", "data@{8}"])
def test_a_copy_that_is_another_share_is_refused(name: str) -> None:
    """The backup would read files that are in use, or one copy for two shares."""
    bad = m.ShareMappingResponse(0, 1, MAPPING._replace(shadow_copy_share_name=name))
    server_set = ServerSet(record(), [root(), root("more")])
    with pytest.raises(Refused, match="is another share"):
        Driver(GetShareMapping=bad).create(server_set)
    assert server_set.record.state is SetState.EXPOSED
    assert server_set.left


def test_one_id_for_two_copies_is_refused() -> None:
    server_set = ServerSet(record(), [root(), root("more")])
    with pytest.raises(Refused, match="names another share's copy"):
        Driver(AddToShadowCopySet=m.GuidResponse(0, COPY)).create(server_set)
    assert server_set.left


def test_success_without_a_mapping_or_an_id_is_refused() -> None:
    for answers in (
        {"GetShareMapping": m.ShareMappingResponse(0, 1, None)},
        {"StartShadowCopySet": m.GuidResponse(0, NULL_GUID)},
        {"AddToShadowCopySet": m.GuidResponse(0, NULL_GUID)},
    ):
        server_set = ServerSet(record(), [root()])
        with pytest.raises(Refused, match="cannot be used"):
            Driver(**answers).create(server_set)
        assert server_set.left


@pytest.mark.spec("3.2.4.2.2-1")
@pytest.mark.spec("3.2.4.4-1")
@pytest.mark.spec("3.2.4.5-1")
def test_a_step_out_of_order_is_refused_without_a_call() -> None:
    server_set = ServerSet(record(), [root()])
    driver = Driver()
    for exchange in (server_set.commit(), server_set.expose(), server_set.recover()):
        with pytest.raises(RequestorError) as caught:
            driver.drive(exchange)
        assert caught.value.result == HResult.FSRVP_E_BAD_STATE
    assert driver.calls == []


def test_completion_that_was_done_already_is_no_error() -> None:
    """The answer to the first one was lost."""
    again = Driver(RecoveryCompleteShadowCopySet=m.StatusResponse(HResult.FSRVP_E_BAD_STATE))
    server_set = ServerSet(record(), [root()])
    again.create(server_set)
    assert server_set.record.state is SetState.RECOVERED
