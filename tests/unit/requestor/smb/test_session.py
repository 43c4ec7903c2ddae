"""Logins to what is no server of SMB, or a hostile one."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.requestor.errors import Disconnected, RequestorError
from fsrvpd.requestor.smb.connection import MAX_MESSAGE
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.session import _address, log_in

CREDENTIALS = Credentials("backup", "Lab-pass-0")
# The header of an answer to Negotiate, and the fixed part of its body.
NEGOTIATED = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, b"")
BODY = struct.pack("<HHHH16sIIIIQQHHI", 65, 3, 0x311, 0, b"", 0, 9, 9, 9, 0, 0, 128, 0, 0)


@contextmanager
def server(answer: bytes, *, closes: bool = True) -> Iterator[int]:
    """Answers the first message with these bytes. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)
                if closes:
                    peer.shutdown(socket.SHUT_WR)
                done.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join(30)


def framed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def attempt(port: int, seconds: float = 30.0) -> None:
    log_in("127.0.0.1", CREDENTIALS, port=port, deadline=time.monotonic() + seconds).close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">I", MAX_MESSAGE + 1) + bytes(100),
        struct.pack(">I", 0xFFFFFFFF),
        framed(b""),
        framed(b"\xfeSMB"),
        framed(b"\xfdSMB" + bytes(80)),
        framed(b"\xffSMB" + bytes(80)),
        framed(NEGOTIATED),
        framed(NEGOTIATED + BODY),
        framed(NEGOTIATED + BODY[:20]),
    ],
)
def test_what_answers_otherwise_is_told_in_a_line(answer: bytes) -> None:
    with server(answer) as port, pytest.raises(RequestorError) as caught:
        attempt(port)
    assert isinstance(caught.value, Disconnected)
    assert caught.value.object == "127.0.0.1"
    assert str(caught.value).isprintable()
    assert CREDENTIALS.password not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", struct.pack(">I", 200), framed(NEGOTIATED)[:40]])
def test_a_server_that_falls_silent_is_left(answer: bytes) -> None:
    with server(answer, closes=False) as port, pytest.raises(Disconnected, match="in time"):
        attempt(port, 0.2)


@settings(deadline=None, max_examples=40)
@given(st.integers(4, 180), st.binary(min_size=1, max_size=12))
def test_damaged_negotiations(place: int, put: bytes) -> None:
    whole = framed(NEGOTIATED + BODY + bytes(64))
    damaged = whole[:place] + put + whole[place + len(put) :]
    with server(damaged) as port, pytest.raises(RequestorError):
        attempt(port)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("nas.example", "nas.example"),
        ("10.0.0.7", "10.0.0.7"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001-db8--1.ipv6-literal.net", "2001:db8::1"),
        ("fe80--1s3.IPv6-literal.net", "fe80::1%3"),
    ],
)
def test_names_that_only_windows_knows_become_addresses(host: str, address: str) -> None:
    assert _address(host) == address
