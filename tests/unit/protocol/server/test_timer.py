"""3.1.2 and 3.1.5: the Message Sequence Timer, after every method that starts it."""

from __future__ import annotations

from typing import Callable

import pytest

from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, Server

Step = Callable[[Client], object]

CONTEXT: list[Step] = [lambda c: c.set_context()]
START: list[Step] = [*CONTEXT, lambda c: c.start()]
ADD: list[Step] = [*START, lambda c: c.add()]
PREPARE: list[Step] = [*ADD, lambda c: c.prepare()]
COMMIT: list[Step] = [*PREPARE, lambda c: c.commit()]
EXPOSE: list[Step] = [*COMMIT, lambda c: c.expose()]
MAPPING: list[Step] = [*EXPOSE, lambda c: c.mapping()]
RECOVERY: list[Step] = [*EXPOSE, lambda c: c.recovery_complete()]

# After the last of these steps the client makes no more calls.
SILENCES = {
    "SetContext": (CONTEXT, 180),
    "StartShadowCopySet": (START, 180),
    "AddToShadowCopySet": (ADD, 1800),
    "a second share of the volume": ([*ADD, lambda c: c.add()], 180),
    "PrepareShadowCopySet": (PREPARE, 1800),
    "CommitShadowCopySet": (COMMIT, 180),
    "ExposeShadowCopySet": (EXPOSE, 180),
    "GetShareMapping": (MAPPING, 1800),
}
EACH = pytest.mark.parametrize(("steps", "seconds"), SILENCES.values(), ids=SILENCES)


def after(steps: list[Step], **settings: object) -> Client:
    client = Client(Server(**settings))
    for step in steps:
        client.server.pass_time(10)
        step(client)
    return client


@pytest.mark.spec("3.1.5-1")
@pytest.mark.spec("3.1.5-2")
@EACH
def test_a_silent_client_loses_its_set_when_the_timer_elapses(
    steps: list[Step], seconds: int
) -> None:
    client = after(steps)
    client.server.pass_time(seconds - 0.001)
    assert client.server.context_set()
    assert not client.server.agent.view.removing
    client.server.pass_time(0.001)
    assert not client.server.context_set()
    assert len(client.server.table) == 0
    client.server.finish_all()
    assert client.server.is_clean()
    assert client.server.agent.next_deadline() is None


@pytest.mark.spec("3.1.2-1")
@EACH
def test_every_message_in_time_keeps_the_set(steps: list[Step], seconds: int) -> None:
    client = after(steps)
    client.server.pass_time(seconds - 1)
    assert client.server.timer() == 1


@pytest.mark.spec("3.1.2-2")
@EACH
def test_one_setting_replaces_every_value(steps: list[Step], seconds: int) -> None:
    client = after(steps, sequence_timeout=15)
    assert client.server.timer() == 15
    client.server.pass_time(15)
    assert not client.server.context_set()


@pytest.mark.spec("3.1.5-1")
@pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)
def test_a_recovered_set_has_no_timer(dialect: object) -> None:
    client = after(RECOVERY, dialect=dialect)
    assert client.server.agent.next_deadline() is None
    client.server.pass_time(1_000_000)
    assert client.server.status(client.set_id) is Status.RECOVERED


@pytest.mark.spec("3.1.5-1")
@pytest.mark.parametrize("steps", [EXPOSE, MAPPING], ids=["Expose", "GetShareMapping"])
def test_windows_server_2012_has_no_timer_once_a_set_is_exposed(steps: list[Step]) -> None:
    client = after(steps, dialect=WS2012)
    assert client.server.agent.next_deadline() is None
    assert client.recovery_complete() == HResult.ZERO


@pytest.mark.spec("3.1.5-1")
def test_what_the_timer_removes_is_tried_again_until_it_is_removed() -> None:
    client = after(EXPOSE)
    client.server.pass_time(180)
    for _ in range(3):
        client.server.fail(HResult.VSS_E_PROVIDER_VETO)
        assert not client.server.running
        client.server.pass_time(60)
    client.server.finish()
    assert client.server.is_clean()


@pytest.mark.spec("3.1.5-2")
def test_the_timer_of_one_client_leaves_the_others_alone(server: Server) -> None:
    first, second = Client(server), Client(server, "10.0.0.2")
    first.reach(Status.COMMITTED)
    server.pass_time(100)
    second.reach(Status.COMMITTED)
    server.pass_time(80)
    server.finish_all()
    assert server.set(first.set_id) is None
    assert server.status(second.set_id) is Status.COMMITTED
    assert server.timer("10.0.0.2") == 100


@pytest.mark.spec("3.1.5-2")
def test_the_timer_of_the_servers_only_session_lets_another_client_in() -> None:
    server = Server(parallel_sets=False)
    Client(server).reach(Status.ADDED)
    server.pass_time(1800)
    Client(server, "10.0.0.2").reach(Status.RECOVERED)
