"""One pipe, from smbd's named_pipe_auth request to the first call, over a socket pair."""

from __future__ import annotations

import json
import socket
from typing import Any, Iterator

import pytest

from fsrvpd.core.messages import IsPathSupported, PathSupportedResponse, VersionResponse
from fsrvpd.daemon.log.levels import REFUSED
from fsrvpd.daemon.pipe.connection import END_TIMEOUT, PipeConnection
from fsrvpd.daemon.pipe.connection_limits import BIND_TIMEOUT, ConnectionLimiter
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.rpc.security.context import BadSignature
from fsrvpd.rpc.security.requirement import RequiredProtection
from samba_hooks.pipe.framing import MessageFraming
from tests.paths import VECTORS
from tests.unit.daemon.fake_loop import FakeLoop

PIPE_AUTH = VECTORS / "npa" / "level7_samba4.17.12_standalone_root.bin"


class World:
    """The connection's collaborators, and smbd's end of the pipe."""

    acceptors: Any = None
    requirement = RequiredProtection(integrity=False, privacy=False)

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.addresses: list[str] = []
        self.loop = FakeLoop()
        self.limits = ConnectionLimiter(self.loop)
        self.smbd, ours = socket.socketpair()
        ours.setblocking(False)
        collaborator: Any = self
        self.connection = PipeConnection(
            self.loop,
            ours,
            1,
            limits=self.limits,
            authenticator=collaborator,
            resolver=collaborator,
            handler=collaborator,
        )

    def call(self, call: Call) -> None:
        self.calls.append(call)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        raise AssertionError(reason)

    def verify(self, response: Any, caller: Any, deliver: Any) -> None:
        raise AssertionError("nobody authenticates here")

    def add_own_address(self, address: str) -> None:
        self.addresses.append(address)

    def send(self, data: bytes) -> None:
        self.smbd.send(data)
        self.loop.run_once(1)

    def send_message(self, message: bytes) -> None:
        self.send(MessageFraming.encode(message))


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.connection.close("the test is over")
    world.smbd.close()
    world.loop.close()


def messages_of_rpcclient() -> list[bytes]:
    """Return what rpcclient sent: its bind, then its requests."""
    recording = json.loads((VECTORS / "rpc" / "rpcclient.json").read_text())
    pdus = [line.split() for line in recording["associations"][0]["pdus"]]
    return [bytes.fromhex(data) for sender, data in pdus if sender == "client"]


def test_a_client_that_does_not_bind_in_time_is_disconnected(world: World) -> None:
    world.send(PIPE_AUTH.read_bytes())
    world.loop.advance(BIND_TIMEOUT)
    assert not world.limits.connections
    assert world.smbd.recv(4096), "smbd's request was not answered"
    assert world.smbd.recv(4096) == b""


def test_a_client_that_has_bound_may_be_silent_and_is_heard(world: World) -> None:
    bind, first, *_ = messages_of_rpcclient()
    world.send(PIPE_AUTH.read_bytes())
    world.send_message(bind)
    world.loop.advance(BIND_TIMEOUT)
    assert world.limits.connections == {world.connection}
    world.send_message(first)
    assert [call.request for call in world.calls] == [IsPathSupported("\\\\127.0.0.9\\data\\")]


def test_the_address_that_a_client_came_by_is_this_servers(world: World) -> None:
    world.send(PIPE_AUTH.read_bytes())
    assert world.addresses == ["127.0.0.1"]


def test_a_pipe_is_closed_when_a_response_cannot_be_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is better than a client that waits for a response."""
    bind, first, *_ = messages_of_rpcclient()
    world.send(PIPE_AUTH.read_bytes())
    world.send_message(bind)
    world.send_message(first)
    [call] = world.calls

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.connection._association, "respond", fail)
    with pytest.raises(ZeroDivisionError):
        world.connection.reply(call, VersionResponse(0, 1, 1))
    assert not world.limits.connections


def test_a_response_that_cannot_be_encoded_is_an_error(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """As an owner name with bytes that are not UTF-8, which smb.conf may hold."""
    bind, first, *_ = messages_of_rpcclient()
    world.send(PIPE_AUTH.read_bytes())
    world.send_message(bind)
    world.send_message(first)
    world.smbd.recv(4096)
    [call] = world.calls
    world.connection.reply(call, PathSupportedResponse(HResult.ZERO, True, "\udcff"))
    assert "the response to IsPathSupported cannot be sent" in caplog.text
    answer = world.smbd.recv(4096)
    assert int.from_bytes(answer[-4:], "little") == HResult.E_UNEXPECTED
    assert world.limits.connections == {world.connection}


def test_a_security_context_that_has_expired_closes_its_pipe(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bind, first, *_ = messages_of_rpcclient()
    world.send(PIPE_AUTH.read_bytes())
    world.send_message(bind)
    world.send_message(first)
    [call] = world.calls

    def fail(*_: object) -> None:
        raise BadSignature("Kerberos: the context has expired")

    caplog.set_level(REFUSED)
    monkeypatch.setattr(world.connection._association, "respond", fail)
    world.connection.reply(call, VersionResponse(0, 1, 1))
    assert "reason='Kerberos: the context has expired' next: let the client" in caplog.text
    assert not world.limits.connections


@pytest.mark.parametrize("reads", [True, False])
def test_an_association_that_ends_with_unsent_bytes_closes_its_pipe(
    world: World, reads: bool
) -> None:
    """When the client has read them, or has had its time."""
    bind, *_ = messages_of_rpcclient()
    world.send(PIPE_AUTH.read_bytes())
    world.smbd.setblocking(False)
    connection: Any = world.connection
    connection._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    while not connection._unsent:
        connection._send(bytes(1024))
    world.send_message(bind[:2] + bytes([99]) + bind[3:])  # no PDU type of DCE/RPC
    assert connection._association.closed
    assert world.limits.connections == {connection}
    if reads:
        while world.limits.connections:
            world.smbd.recv(1 << 16)
            world.loop.run_once(1)
    else:
        world.loop.advance(END_TIMEOUT)
    assert not world.limits.connections
