"""3.1.4.1 GetSupportedVersion and 3.1.4.2 SetContext."""

from __future__ import annotations

import pytest

from fsrvpd.core import messages as m
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.settings import CURRENT, WS2012
from tests.unit.protocol.server.driver import Client, Server, client_at

CONTEXTS = [0x0, 0x10, 0x19, 0x9]
RECOVERIES = [0, context.ATTR_AUTO_RECOVERY, context.ATTR_NO_AUTO_RECOVERY]
IN_PROGRESS = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS


@pytest.mark.spec("3.1.3-5")
@pytest.mark.spec("3.1.3-6")
@pytest.mark.spec("3.1.4.1-1")
def test_the_version_is_one(client: Client) -> None:
    assert client.ask(m.GetSupportedVersion()) == m.VersionResponse(0, 1, 1)


@pytest.mark.spec("3.1.4.2-8")
@pytest.mark.parametrize("recovery", RECOVERIES, ids=["plain", "auto", "no-auto"])
@pytest.mark.parametrize("value", CONTEXTS, ids=hex)
def test_the_four_contexts_plain_and_with_either_attribute(
    client: Client, value: int, recovery: int
) -> None:
    assert client.set_context(value | recovery) == HResult.ZERO
    client.start()
    shadow_copy_set = client.server.set(client.set_id)
    assert shadow_copy_set is not None
    assert shadow_copy_set.context == value | recovery
    assert client.server.context_set()


@pytest.mark.spec("3.1.4.2-1")
@pytest.mark.parametrize(
    "value",
    [0x400002, 0x1, 0x8, 0x18, 0x11, 0x4, 0x20, 0x80000000, 0xFFFFFFFF, 0x400019 | 0x2],
    ids=hex,
)
def test_any_other_context_is_unsupported_and_changes_nothing(client: Client, value: int) -> None:
    before = client.server.state()
    assert client.set_context(value) == HResult.FSRVP_E_UNSUPPORTED_CONTEXT
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.2-1")
def test_an_unsupported_context_does_not_disturb_the_set_under_way() -> None:
    client = client_at(Status.ADDED)
    before = client.server.state()
    assert client.set_context(0x400002) == HResult.FSRVP_E_UNSUPPORTED_CONTEXT
    assert client.server.state() == before


@pytest.mark.spec("3.1.4.2-9")
def test_the_timer_starts_at_180_seconds(client: Client) -> None:
    client.set_context()
    assert client.server.timer() == 180


@pytest.mark.spec("3.1.4.2-3")
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.RECOVERED])
def test_set_context_of_another_address_finds_a_set_in_progress(status: Status) -> None:
    first = client_at(status, parallel_sets=False)
    second = Client(first.server, "10.0.0.2")
    before = first.server.state()
    assert second.set_context() == IN_PROGRESS
    assert first.server.state() == before


@pytest.mark.spec("3.1.4.2-3")
def test_another_address_waits_for_a_context_without_a_set(server: Server) -> None:
    server = Server(parallel_sets=False)
    first, second = Client(server), Client(server, "10.0.0.2")
    assert first.set_context() == HResult.ZERO
    assert second.set_context() == IN_PROGRESS
    server.pass_time(180)
    assert second.set_context() == HResult.ZERO


@pytest.mark.spec("3.1.4.2-2")
def test_with_parallel_sets_the_context_belongs_to_the_address(server: Server) -> None:
    first, second = Client(server), Client(server, "10.0.0.2")
    first.reach(Status.ADDED)
    second.reach(Status.COMMITTED, context.CTX_NAS_ROLLBACK)
    assert first.prepare() == HResult.ZERO
    assert first.commit() == HResult.ZERO
    assert server.status(first.set_id) is server.status(second.set_id) is Status.COMMITTED


@pytest.mark.spec("3.1.4.2-4")
@pytest.mark.spec("3.1.4.2-5")
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.RECOVERED])
def test_set_context_of_the_same_address_removes_its_unfinished_set(status: Status) -> None:
    client = client_at(status)
    old, server = client.set_id, client.server
    assert client.set_context(context.CTX_NAS_ROLLBACK) == HResult.ZERO
    assert server.set(old) is None
    server.finish_all()
    assert server.is_clean()
    client.start()
    assert server.set(client.set_id).context == context.CTX_NAS_ROLLBACK  # type: ignore[union-attr]


@pytest.mark.spec("3.1.4.2-4")
@pytest.mark.parametrize("dialect", [CURRENT, WS2012], ids=lambda d: d.name)
def test_a_recovered_set_stays_when_the_context_is_set_again(dialect: object) -> None:
    client = client_at(Status.RECOVERED, dialect=dialect)
    assert client.set_context() == HResult.ZERO
    assert client.server.status(client.set_id) is Status.RECOVERED


@pytest.mark.spec("3.1.4.2-6")
def test_the_sixth_retry_fails(client: Client) -> None:
    assert client.set_context() == HResult.ZERO
    for _ in range(5):
        assert client.set_context() == HResult.ZERO
    assert client.set_context() == IN_PROGRESS
    assert not client.server.context_set()


@pytest.mark.spec("3.1.4.2-5")
@pytest.mark.spec("3.1.4.2-6")
@pytest.mark.spec("3.1.4.2-7")
def test_past_the_limit_the_context_is_free_and_the_count_starts_again(client: Client) -> None:
    client.set_context()
    for _ in range(5):
        client.set_context()
    client.start()
    assert client.set_context() == IN_PROGRESS
    assert not client.server.context_set()
    assert client.server.is_clean()
    for _ in range(6):
        assert client.set_context() == HResult.ZERO


@pytest.mark.spec("3.1.4.2-6")
def test_windows_server_2012_counts_no_retries() -> None:
    client = Client(Server(dialect=WS2012))
    assert {client.set_context() for _ in range(20)} == {HResult.ZERO}


@pytest.mark.spec("3.1.4.2-7")
@pytest.mark.parametrize("how", ["timer", "abort", "recovered"])
def test_a_context_that_was_free_starts_the_count_at_zero(client: Client, how: str) -> None:
    client.set_context()
    for _ in range(4):
        client.set_context()
    if how == "timer":
        client.server.pass_time(180)
    elif how == "abort":
        client.start()
        client.abort()
    else:
        client.reach(Status.RECOVERED)
    for _ in range(6):
        assert client.set_context() == HResult.ZERO
    assert client.set_context() == IN_PROGRESS


@pytest.mark.spec("3.1.4.2-4")
@pytest.mark.parametrize(("dialect", "lives"), [(CURRENT, False), (WS2012, True)])
def test_an_exposed_set_is_finished_for_windows_server_2012_only(
    dialect: object, lives: bool
) -> None:
    client = client_at(Status.EXPOSED, dialect=dialect)
    client.server.pass_time(100)
    assert client.set_context() == HResult.ZERO
    assert (client.server.status(client.set_id) is Status.EXPOSED) == lives
