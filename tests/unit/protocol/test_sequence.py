from __future__ import annotations

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import sequence
from fsrvpd.protocol.model import Status
from tests.unit.protocol.server.driver import Client, Server


def test_the_order_is_the_one_that_completes_a_set() -> None:
    client = Client(Server())
    calls = {
        Opnum.SetContext: client.set_context,
        Opnum.StartShadowCopySet: client.start,
        Opnum.AddToShadowCopySet: client.add,
        Opnum.PrepareShadowCopySet: client.prepare,
        Opnum.CommitShadowCopySet: client.commit,
        Opnum.ExposeShadowCopySet: client.expose,
        Opnum.GetShareMapping: client.mapping,
        Opnum.RecoveryCompleteShadowCopySet: client.recovery_complete,
    }
    for opnum in sequence.CREATION:
        response = calls[opnum]()  # type: ignore[operator]
        assert getattr(response, "result", response) == 0
    assert client.server.status(client.set_id) is Status.RECOVERED


def test_every_method_with_a_time_out_has_one() -> None:
    field = "timeout_in_milliseconds"
    named = {opnum for opnum in Opnum if field in getattr(m, opnum.name)._fields}
    assert set(sequence.TIMEOUTS) == named
