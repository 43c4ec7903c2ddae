"""What a server may do to those that wait: late, early, twice, never, in another order."""

from __future__ import annotations

import struct
import threading
from typing import Any

import pytest

from fsrvpd.requestor.files import messages as m
from fsrvpd.requestor.files.channel import CREDITS, Channel, Lost
from fsrvpd.requestor.smb.connection import MAX_MESSAGE, UNASKED
from tests.unit.requestor.files import peer as p
from tests.unit.requestor.files.peer import Asked, Peer, Reply

PENDING = 0x103


def channel(peer: Peer, **options: Any) -> Channel:
    return Channel(peer.session(), "data", **options)


def test_credits_are_asked_for_before_anything_else() -> None:
    peer = Peer(p.by_command())
    made = channel(peer)
    assert peer.asked[0].command == m.ECHO
    assert peer.asked[0].credit_request >= CREDITS - 1
    assert made.chunk == 1 << 20


@pytest.mark.parametrize(("granted", "chunk"), [(1, 65536), (32, 4 * 65536), (8000, 1 << 20)])
def test_requests_are_as_large_as_credits_allow(granted: int, chunk: int) -> None:
    peer = Peer(p.by_command())
    peer.granted = granted
    assert channel(peer).chunk == chunk


def test_one_message_with_several_requests() -> None:
    peer = Peer(p.by_command(create=p.opened(4), read=p.read(b"data")))
    answers = channel(peer).ask(m.create("a", 1, 0), m.read(m.RELATED, 0, 4), m.close(m.RELATED))
    assert m.read_data(answers[1]) == b"data"
    assert [asked.message_id for asked in peer.asked] == [0, 1, 2, 3]


@pytest.mark.parametrize("encrypted", [False, True])
def test_threads_get_their_own_answers(encrypted: bool) -> None:
    def echo(asked: Asked) -> Reply:
        return p.read(asked.body[8:16])  # the offset

    made = channel(Peer(echo, encrypted=encrypted))
    wrong = []

    def use(number: int) -> None:
        for offset in range(number, 2000, 8):
            [answer] = made.ask(m.read(p.FILE_ID, offset, 8))
            if m.read_data(answer) != struct.pack("<Q", offset):
                wrong.append(offset)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_answers_in_another_order() -> None:
    kept = []

    def late(asked: Asked) -> Reply:
        kept.append(asked)
        return p.read(b"%d" % asked.message_id)

    peer = Peer(late)
    made = channel(peer)
    sent = [made.send(m.read(p.FILE_ID, 0, 8)) for _ in range(3)]
    assert [m.read_data(made.wait(each)[0]) for each in reversed(sent)] == [b"3", b"2", b"1"]


def test_interim_answers_and_what_nobody_asked_for_are_passed_over() -> None:
    def slow(asked: Asked) -> Reply:
        peer.send(peer.packed(asked, Reply(bytes(8), PENDING), sign=False))
        peer.send(peer.packed(asked._replace(message_id=UNASKED, command=18), Reply(bytes(24))))
        return p.read(b"data")

    peer = Peer(slow)
    assert m.read_data(channel(peer).ask(m.read(p.FILE_ID, 0, 8))[0]) == b"data"


def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    peer = Peer(p.by_command(read=p.read(b"data")))
    made = channel(peer)
    for _ in range(50):
        made.send(m.read(p.FILE_ID, 0, 1 << 20))
    assert m.read_data(made.ask(m.read(p.FILE_ID, 0, 8))[0]) == b"data"


def test_a_server_without_credits() -> None:
    peer = Peer(p.by_command(read=p.read(b"data")))
    peer.granted = 0
    made = channel(peer)
    with pytest.raises(Lost, match="credits"):
        made.ask(m.read(p.FILE_ID, 0, 1 << 20))


def unsigned(peer: Peer, asked: Asked) -> bytes:
    return peer.packed(asked, p.read(b"data"), sign=False)


def of_another_request(peer: Peer, asked: Asked) -> bytes:
    return peer.packed(asked._replace(message_id=77), p.read(b"data"))


def of_another_command(peer: Peer, asked: Asked) -> bytes:
    return peer.packed(asked._replace(command=m.QUERY_INFO), p.read(b"data"))


def twice(peer: Peer, asked: Asked) -> bytes:
    part = peer.packed(asked, p.read(b"data" * 2), following=64 + 16 + 8)
    return part + peer.packed(asked, p.read(b"data" * 2))


def cut_short(peer: Peer, asked: Asked) -> bytes:
    return peer.packed(asked, p.read(b"data"))[:50]


def of_smb_1(peer: Peer, asked: Asked) -> bytes:
    return b"\xffSMB" + peer.packed(asked, p.read(b"data"))[4:]


def encrypted(peer: Peer, asked: Asked) -> bytes:
    return b"\xfdSMB" + bytes(60)


@pytest.mark.parametrize(
    "wrong",
    [
        unsigned,
        of_another_request,
        of_another_command,
        twice,
        cut_short,
        of_smb_1,
        encrypted,
    ],
)
def test_a_wrong_answer_ends_the_channel(wrong: Any) -> None:
    def lie(asked: Asked) -> Reply:
        peer.send(wrong(peer, asked))
        return p.read(b"data")

    peer = Peer(lie)
    made = channel(peer)
    for _ in range(2):
        with pytest.raises(Lost):
            made.ask(m.read(p.FILE_ID, 0, 8))


def test_a_message_that_is_announced_too_long() -> None:
    def lie(asked: Asked) -> Reply:
        peer._socket.sendall((MAX_MESSAGE + 1).to_bytes(4, "big"))
        return Reply()

    peer = Peer(lie)
    with pytest.raises(Lost, match="announces"):
        channel(peer).ask(m.read(p.FILE_ID, 0, 8))


def test_a_server_that_says_nothing() -> None:
    go_on = threading.Event()

    def hang(asked: Asked) -> Reply:
        go_on.wait(60)
        return Reply()

    made = channel(Peer(hang), wait=0.2)
    with pytest.raises(Lost, match="in time"):
        made.ask(m.read(p.FILE_ID, 0, 8))
    go_on.set()


def test_whoever_waits_learns_that_the_connection_broke() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(asked: Asked) -> Reply:
        begun.set()
        go_on.wait(60)
        peer.hang_up()
        return Reply()

    peer = Peer(hang)
    made = channel(peer)
    failures = []

    def use() -> None:
        try:
            made.ask(m.read(p.FILE_ID, 0, 8))
        except Lost as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert len(failures) == 3


def test_closing_logs_off_once() -> None:
    peer = Peer(p.by_command())
    made = channel(peer)
    made.close()
    made.close()
    assert peer.closed
    with pytest.raises(Lost):
        made.ask(m.echo())


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("place", range(0, 140, 4))
def test_a_changed_byte_ends_the_channel(encrypted: bool, place: int) -> None:
    """Of the header, the signature or the data."""

    def lie(asked: Asked) -> Reply:
        answer = peer.packed(asked, p.read(b"data"), sign=not encrypted)
        data = bytearray(peer.protection.seal(answer) if encrypted else answer)
        data[place % len(data)] ^= 0x10
        peer.send(bytes(data))
        return p.read(b"data")

    peer = Peer(lie, encrypted=encrypted)
    made = channel(peer)
    with pytest.raises(Lost):
        made.ask(m.read(p.FILE_ID, 0, 8))
