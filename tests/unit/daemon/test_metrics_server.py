"""The HTTP server for metrics: answers, and clients that do not behave."""

from __future__ import annotations

import logging
import socket
from typing import Iterator

import pytest

from fsrvpd.daemon import metrics_server
from fsrvpd.daemon.descriptors import METRICS
from fsrvpd.daemon.metrics_server import MAX_REQUEST, MetricsServer

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Numbers:
    """What is collected: how often it was."""

    def __init__(self) -> None:
        self.collected = 0
        self.broken = False

    def __call__(self) -> bytes:
        self.collected += 1
        if self.broken:
            raise RuntimeError("no numbers")
        return b"n %d\n" % self.collected


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def port(numbers: Numbers) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    server = MetricsServer(("127.0.0.1", number), "text/plain; version=1", numbers)
    yield number
    server.stop()
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", number))


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def rest(client: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    with client:
        return b"".join(iter(lambda: client.recv(65536), b""))


def ask(port: int, request: bytes = GET) -> bytes:
    client = connect(port)
    client.sendall(request)
    return rest(client)


def test_numbers_are_sent_and_the_connection_is_closed(port: int) -> None:
    assert ask(port) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=1\r\nContent-Length: 4\r\n"
        b"Connection: close\r\n\r\nn 1\n"
    )


def test_numbers_are_not_collected_for_each_request(port: int, numbers: Numbers) -> None:
    for _ in range(20):
        ask(port)
    assert numbers.collected < 20


def test_numbers_are_collected_anew_after_a_moment(
    port: int, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "FRESH", 0.0)
    assert [ask(port)[-4:] for _ in range(2)] == [b"n 1\n", b"n 2\n"]


def test_a_request_may_come_in_pieces(port: int) -> None:
    with connect(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET:
            client.send(bytes([byte]))
        assert b"200 OK" in rest(client)


def test_only_get_is_known(port: int) -> None:
    assert ask(port, b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_a_request_without_an_end_is_cut_off(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"G" * (MAX_REQUEST + 1))
        try:
            assert client.recv(100) == b""
        except ConnectionResetError:
            return


def test_whoever_waited_longest_gives_way(port: int) -> None:
    silent = [connect(port) for _ in range(METRICS + 1)]
    assert b"200 OK" in ask(port)
    assert silent[0].recv(1) == b""
    silent[-1].sendall(GET)
    assert b"200 OK" in rest(silent[-1])
    for one in silent:
        one.close()


def test_a_silent_connection_has_a_short_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "TIMEOUT", 0.05)
    assert rest(connect(port)) == b""


def test_numbers_that_cannot_be_collected_are_an_error(
    port: int, numbers: Numbers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    numbers.broken = True
    assert b"500 Internal" in ask(port)
    assert "please report this" in caplog.text
