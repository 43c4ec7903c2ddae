"""Sockets at paths of any length, and who is at the other end of one."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from fsrvpd import unix_socket

LONG = "x" * 200


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Longer than a socket address."""
    (tmp_path / LONG).mkdir()
    return str(tmp_path / LONG / "socket")


def test_a_long_path_is_bound_and_connected_to(path: str) -> None:
    with unix_socket.bind(path) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.listen(1)
        unix_socket.connect(client, path)
        accepted, _ = listener.accept()
        accepted.close()


def test_what_had_the_path_is_replaced(path: str) -> None:
    with unix_socket.bind(path), unix_socket.bind(path) as second:
        assert os.stat(path).st_ino
        assert not second.getblocking()


def test_no_descriptor_is_left_open(path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    unix_socket.bind(path).close()
    with pytest.raises(OSError, match="No such file"):
        unix_socket.bind(path.replace(LONG, "nowhere"))
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        unix_socket.connect(client, path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert unix_socket.peer_credentials(here) == (os.getpid(), os.geteuid(), os.getegid())
        assert set(unix_socket.peer_groups(here)) == set(os.getgroups())


def test_a_client_with_a_time_out_waits_for_its_turn(path: str) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(unix_socket.bind(path))
        listener.listen(0)
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        clients[0].settimeout(30)
        unix_socket.connect(clients[0], path)
        clients[1].settimeout(0.05)
        with pytest.raises(BlockingIOError):
            unix_socket.connect(clients[1], path)
        listener.accept()[0].close()
        unix_socket.connect(clients[1], path)
        assert clients[1].gettimeout() == 0.05
