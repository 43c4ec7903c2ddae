"""Samba's datagrams: known messages are decoded, all others are ignored."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import ConfigError
from samba_hooks.messaging import Kind, Message, MessageBus, ServerId, decode, encode

SENDER = ServerId(4711, 0, 0xFFFFFFFF, 17)
HERE = ServerId(815, 0, 0xFFFFFFFF, 42)
PING = Message(Kind.PING, SENDER, HERE, b"")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("private", "lock"):
        (tmp_path / name).mkdir()
    return tmp_path / "private", tmp_path / "lock"


def join(places: tuple[Path, Path]) -> MessageBus:
    return MessageBus(*map(str, places))


def test_the_layout_is_sambas() -> None:
    datagram = encode(Message(Kind.DEBUG, SENDER, HERE, b"5\0"))
    there = struct.pack("<QIIQ", 815, 0, 0xFFFFFFFF, 42)
    here = struct.pack("<QIIQ", 4711, 0, 0xFFFFFFFF, 17)
    assert datagram == bytes(8) + there + here + b"\x01\0\0\0" + b"5\0"
    message = decode(datagram)
    assert message is not None
    assert message.text == "5"


@given(st.binary(max_size=200))
def test_no_datagram_breaks_the_reader(datagram: bytes) -> None:
    message = decode(datagram)
    assert message is None or encode(message) == datagram


def test_pieces_and_other_types_do_not_concern_us() -> None:
    whole = encode(PING)
    assert decode(b"\1" + whole[1:]) is None
    assert decode(whole[:56] + struct.pack("<I", 0x0302)) is None


def test_who_is_on_the_bus_is_alive_and_reachable_for_root_only(places: tuple[Path, Path]) -> None:
    private, lock = places
    (private / "msg.sock").mkdir(mode=0o700)
    bus = join(places)
    name = str(os.getpid())
    assert locked(lock / "msg.lock" / name)
    number = (lock / "msg.lock" / name).read_text()
    assert number.endswith("\n")
    assert 0 <= int(number) < 0xFFFFFFFFFFFFFFFF
    assert stat.S_ISSOCK((private / "msg.sock" / name).stat().st_mode)
    assert not (lock / "msg.sock").exists()
    bus.close()
    assert not (lock / "msg.lock" / name).exists()
    assert not (private / "msg.sock" / name).exists()


def locked(path: Path) -> bool:
    """As another process sees it."""
    child = os.fork()
    if child == 0:
        with path.open("r+") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os._exit(1)
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def test_without_a_samba_both_places_are_prepared(places: tuple[Path, Path]) -> None:
    before = os.umask(0o077)
    try:
        bus = join(places)
    finally:
        os.umask(before)
    assert len(bus.mailboxes) == 2
    for place in places:
        assert stat.S_IMODE((place / "msg.sock").stat().st_mode) == 0o700
    assert stat.S_IMODE((places[1] / "msg.lock").stat().st_mode) == 0o755
    bus.close()


def test_an_answer_goes_to_whoever_asked(places: tuple[Path, Path]) -> None:
    private, _ = places
    (private / "msg.sock").mkdir(mode=0o700)
    bus = join(places)
    [mailbox] = bus.mailboxes
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(private / "msg.sock" / "4711"))
        client.sendto(encode(PING), str(private / "msg.sock" / str(os.getpid())))
        received = mailbox.receive()
        assert received == PING
        mailbox.reply(received, Kind.PONG, b"!")
        answer = decode(client.recv(1024))
    assert answer is not None
    assert (answer.kind, answer.data, answer.destination) == (Kind.PONG, b"!", SENDER)
    assert answer.source.pid == os.getpid()
    assert mailbox.receive() is None
    mailbox.reply(received, Kind.PONG)  # a sender that has ended is ignored
    bus.close()


def test_a_place_that_is_no_directory_of_ours_is_refused(places: tuple[Path, Path]) -> None:
    private, lock = places
    (private / "elsewhere").mkdir()
    (lock / "msg.lock").symlink_to(private / "elsewhere")
    with pytest.raises(ConfigError, match=r"msg\.lock is not a directory of this user"):
        join(places)
