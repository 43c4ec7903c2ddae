"""The self-test makes every step of a client, and leaves nothing if one fails."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum, Response
from fsrvpd.daemon.control import self_test, set_creation
from fsrvpd.daemon.log.events import report
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol import sequence
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.shares.volumes import ShareSupport
from tests.unit.daemon.control.examples import (
    COPY,
    COPY_ID,
    LOCATION,
    SET,
    SET_ID,
    SHARE,
    RecordedRequest,
    SetsView,
    recovered_set,
)

log = logging.getLogger("fsrvpd.test")


class Agent:
    """Answers every call with success, but `failing`."""

    def __init__(self, failing: Optional[Opnum] = None) -> None:
        self.view = SetsView(recovered_set())
        self.calls: list[Opnum] = []
        self.removed: list[bytes] = []
        self._failing = failing

    def call(self, call: Call) -> None:
        assert call.keep is False
        self.calls.append(call.opnum)
        call.reply_to.reply(call, self._response(call))

    def abandon(self, address: str, why: str) -> None:
        assert address.startswith("local/")

    def _response(self, call: Call) -> Response:
        if call.opnum is self._failing:
            call.reason = "it does"
            return m.refusal(call.opnum, HResult.FSRVP_E_BAD_STATE)
        if call.opnum is Opnum.StartShadowCopySet:
            return m.GuidResponse(HResult.ZERO, SET)
        if call.opnum is Opnum.AddToShadowCopySet:
            assert call.request == m.AddToShadowCopySet(
                set_creation.CLIENT_SHADOW_COPY_ID, SET, r"\\localhost\data"
            )
            return m.GuidResponse(HResult.ZERO, COPY)
        if call.opnum is Opnum.GetShareMapping:
            mapping = m.ShareMapping1(SET, COPY, r"\\localhost\data", SHARE, 0)
            return m.ShareMappingResponse(HResult.ZERO, 1, mapping)
        return m.StatusResponse(HResult.ZERO)

    def remove_set(self, set_id: bytes, why: str) -> None:
        self.removed.append(set_id)
        report(log, "set-removed", why, set=SET_ID)


def run(agent: Agent, explained: Any) -> RecordedRequest:
    request: Any = RecordedRequest()
    lookups: Any = SimpleNamespace(explain=lambda share, done: done(explained))
    driver: Any = agent
    self_test.begin(driver, lookups, "DATA", request)
    request.close()
    return request  # type: ignore[no-any-return]


SUPPORTED = ShareSupport(LOCATION.share, "/vol/data", LOCATION, HResult.ZERO, "", {})


def test_every_step_is_made_and_reported() -> None:
    agent = Agent()
    request = run(agent, SUPPORTED)
    assert agent.calls == list(sequence.CREATION)
    steps = [event["step"].split()[0] for event in request.events]
    assert steps == [each.name for each in agent.calls]
    assert request.result == {
        "set": SET_ID,
        "copy": COPY_ID,
        "shadow_copy_share": SHARE,
        "snapshot": recovered_set().exports()[0].mount_point,
        "provider": "btrfs",
    }
    assert agent.removed == []


@pytest.mark.parametrize("failing", sequence.CREATION, ids=lambda opnum: opnum.name)
def test_a_step_that_fails_is_named_and_the_set_removed(failing: Opnum) -> None:
    agent = Agent(failing)
    request = run(agent, SUPPORTED)
    expected = rf"^self-test of share data: {failing.name}[ a-z]*: FSRVP_E_BAD_STATE .*: it does"
    assert re.search(expected, request.error or "")
    has_begun = sequence.CREATION.index(failing) > 1
    assert agent.removed == ([SET] if has_begun else [])


def test_a_copy_that_disappears_is_reported() -> None:
    agent = Agent()
    agent.view.all_sets[0].shadow_copy_list[0].snapshot = None
    assert "was removed by somebody else" in str(run(agent, SUPPORTED).error)
    assert agent.removed == [SET]


def test_a_share_that_cannot_be_copied_is_not_tried() -> None:
    agent = Agent()
    assert run(agent, FsrvpdError("there is no share DATA")).error == "there is no share DATA"
    refused = SUPPORTED._replace(location=None, reason="tmpfs")
    assert run(agent, refused).error == "share DATA cannot be copied: tmpfs"
    assert agent.calls == []
