"""A listening socket is served, and left alone for a moment when it cannot be."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

import pytest

from fsrvpd import unix_socket
from fsrvpd.daemon.acceptor import LOG_INTERVAL, PAUSE, Acceptor, SocketListener
from tests.unit.daemon.fake_loop import FakeLoop


class Failing:
    """A listener at which a connection always waits and cannot be accepted."""

    def __init__(self, number: int) -> None:
        self._ends = socket.socketpair()
        self._ends[1].send(b"!")
        self._number = number
        self.attempts = 0

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def accept(self) -> Optional[socket.socket]:
        self.attempts += 1
        raise OSError(self._number, os.strerror(self._number))


@pytest.fixture
def loop() -> Iterator[FakeLoop]:
    made = FakeLoop()
    yield made
    made.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_what_cannot_be_accepted_is_tried_again_later_and_logged_once(
    loop: FakeLoop, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    listener = Failing(number)
    acceptor = Acceptor(loop, "the pipe", listener, lambda connected: None)
    for _ in range(100):
        loop.run_once(0)
    assert listener.attempts == 1
    for _ in range(int(LOG_INTERVAL / PAUSE) - 1):
        loop.advance(PAUSE)
        loop.run_once(0)
    assert listener.attempts > 100
    [record] = caplog.records
    assert "connections to the pipe have to wait" in record.getMessage()
    assert errno.errorcode[number] in record.getMessage()
    acceptor.close()
    loop.advance(PAUSE)
    attempts = listener.attempts
    loop.run_once(0)
    assert listener.attempts == attempts
    listener.close()


@contextmanager
def no_more_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
    filler = [os.dup(0) for _ in range(used - len(os.listdir("/proc/self/fd")))]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, before[1]))
    try:
        with contextlib.suppress(OSError):  # EMFILE
            while True:
                filler.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for file in filler:
            os.close(file)


@pytest.mark.parametrize("spare", [True, False])
def test_a_spare_descriptor_is_for_one_connection_at_a_time(
    loop: FakeLoop, tmp_path: Path, spare: bool
) -> None:
    accepted: list[socket.socket] = []
    clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    with unix_socket.bind(str(tmp_path / "socket")) as listening:
        listening.listen()
        acceptor = Acceptor(
            loop, "a socket", SocketListener(listening), accepted.append, spare=spare
        )
        for client in clients:
            client.connect(str(tmp_path / "socket"))
        with no_more_files():
            loop.run_once(0)
            assert len(accepted) == int(spare)
            if spare:
                accepted.pop().close()
                loop.advance(PAUSE)
                loop.run_once(0)
                assert len(accepted) == 1
        loop.advance(PAUSE)
        loop.run_once(0)
        assert len(accepted) == (1 if spare else 2)
        acceptor.close()
    for one in (*accepted, *clients):
        one.close()
