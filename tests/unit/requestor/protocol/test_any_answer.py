"""Any answers to any exchange: it ends, refuses in one line, and never calls without a set's id."""

from __future__ import annotations

from typing import Callable, Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord
from fsrvpd.requestor.protocol.exchange import Exchange, opnum_of
from fsrvpd.requestor.protocol.queries import path_supported, supported_version
from fsrvpd.requestor.protocol.server_set import ServerSet
from fsrvpd.requestor.protocol.undo import delete, undo
from tests.unit.protocol.server.driver import guid
from tests.unit.requestor.protocol.test_server_set import SET, record, root

RESULTS = st.one_of(st.just(0), st.sampled_from(HResult), st.integers(0, 2**32 - 1))
GUIDS = st.sampled_from([NULL_GUID, SET, guid(3)])
NAMES = st.none() | st.text(st.characters(), max_size=4)
COPIES = tuple(ShadowCopyRecord(guid(n), root(f"s{n}")) for n in (8, 9))
MOST = 12  # calls of one exchange, with two shares


@st.composite
def answers(draw: st.DrawFn, opnum: Opnum) -> m.Response:
    result = draw(RESULTS)
    if opnum in (Opnum.StartShadowCopySet, Opnum.AddToShadowCopySet):
        return m.GuidResponse(result, draw(GUIDS))
    if opnum is Opnum.GetShareMapping:
        number = st.integers(0, 2**64 - 1)
        mapping = st.builds(m.ShareMapping1, GUIDS, GUIDS, NAMES, NAMES, number)
        return m.ShareMappingResponse(result, 1, draw(st.none() | mapping))
    if opnum is Opnum.GetSupportedVersion:
        return m.VersionResponse(result, draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    if opnum is Opnum.IsPathSupported:
        return m.PathSupportedResponse(result, draw(st.booleans()), draw(NAMES))
    return m.RESPONSE_OF[opnum](result)


def drive(exchange: Exchange[object], data: st.DataObject) -> Optional[RequestorError]:
    calls = 0
    try:
        call = next(exchange)
        while True:
            calls += 1
            assert calls <= MOST
            set_id = getattr(call.request, "shadow_copy_set_id", SET)
            assert set_id != NULL_GUID
            call = exchange.send(data.draw(answers(opnum_of(call.request))))
    except StopIteration:
        return None
    except RequestorError as error:
        refused = error
    assert str(refused).isprintable()
    return refused


@settings(max_examples=300)
@given(st.data(), st.permutations(range(4)) | st.just([0, 1, 2, 3]))
def test_a_set_in_any_order(data: st.DataObject, order: list[int]) -> None:
    server_set = ServerSet(record(), [root("s8"), root("s9")])
    steps: list[Callable[[], Exchange[object]]] = [
        server_set.start,
        lambda: server_set.add_and_prepare([guid(8), guid(9)]),
        server_set.commit,
        server_set.expose,
    ]
    for number in order:
        if server_set.record.state is SetState.PREPARED:
            server_set.about_to_commit()
        if drive(steps[number](), data):
            break
    drive(undo(server_set.record), data)


RECORDS = st.builds(
    lambda state, set_id: record(state=state, server_set_id=set_id, copies=COPIES),
    st.sampled_from(SetState),
    st.sampled_from([None, SET]),
)


@settings(max_examples=300)
@given(st.data(), RECORDS)
def test_undoing_and_deleting(data: st.DataObject, given_record: SetRecord) -> None:
    drive(undo(given_record), data)
    drive(delete(given_record._replace(server_set_id=SET), COPIES), data)
    drive(path_supported(root()), data)
    drive(supported_version("nas"), data)
