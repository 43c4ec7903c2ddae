"""What ctdbd says, and what it never says."""

from __future__ import annotations

import struct
from typing import Callable

import pytest

from fsrvpd.protocol.cluster import Record
from samba_hooks.ctdb import packets
from samba_hooks.ctdb.packets import Answer, CtdbLost, NodeFlags

FAILED = Answer(-1, b"", "in recovery")
Reader = Callable[[Answer], object]


def test_a_transaction_has_all_records_with_their_numbers() -> None:
    written = packets.transaction(0xABCD, 1, {b"leader": Record(5, b"me")})
    assert struct.unpack_from("<II", written) == (0xABCD, 1)
    assert struct.unpack_from("<IIII", written, 8) == (16 + 6 + 24 + 2, 0, 6, 26)
    assert written[24:30] == b"leader"
    assert struct.unpack_from("<QI", written, 30) == (5, 1)
    assert written[54:] == b"me"


def test_answers_are_read() -> None:
    assert packets.pnn(Answer(2, b"", "")) == 2
    assert packets.database_id(Answer(0, b"\x01\x02\x00\x00", "")) == 0x201
    assert packets.path(Answer(0, b"/var/lib/ctdb/a.tdb.0\0", "")) == "/var/lib/ctdb/a.tdb.0"
    assert packets.cluster_lock(Answer(0, b"!/usr/bin/helper x\0", "")) == "!/usr/bin/helper x"
    assert packets.cluster_lock(Answer(0, b"", "")) == ""
    assert not packets.is_recovering(Answer(0, b"", ""))
    assert packets.is_recovering(Answer(1, b"", ""))


def listed(*flags: int) -> bytes:
    nodes = (struct.pack("<II28x", number, each) for number, each in enumerate(flags))
    return struct.pack("<I", len(flags)) + b"".join(nodes)


def test_nodes_are_read() -> None:
    found = packets.nodes(Answer(0, listed(0, NodeFlags.DISCONNECTED), ""))
    assert found == {0: 0, 1: NodeFlags.DISCONNECTED}
    assert packets.nodes(Answer(0, listed(), "")) == {}
    assert not NodeFlags.UNHEALTHY & packets.INACTIVE
    assert NodeFlags.BANNED & packets.INACTIVE


@pytest.mark.parametrize(
    ("reader", "bad"),
    [
        (packets.pnn, FAILED),
        (packets.pnn, Answer(1 << 30, b"", "")),
        (packets.is_recovering, FAILED),
        (packets.database_id, FAILED),
        (packets.database_id, Answer(0, b"\x01", "")),
        (packets.path, FAILED),
        (packets.path, Answer(0, b"", "")),
        (packets.path, Answer(0, b"../etc/passwd\0", "")),
        (packets.cluster_lock, FAILED),
        (packets.nodes, FAILED),
        (packets.nodes, Answer(0, b"\x01", "")),
        (packets.nodes, Answer(0, struct.pack("<I", 2) + b"12345678", "")),
        (packets.nodes, Answer(0, struct.pack("<I", 0xFFFFFFFF) + bytes(72), "")),
        (packets.nodes, Answer(0, listed(0, 0)[:-1], "")),
        (packets.nodes, Answer(0, struct.pack("<I", 2) + bytes(72), "")),
    ],
)
def test_what_is_wrong_in_an_answer_is_refused(reader: Reader, bad: Answer) -> None:
    with pytest.raises(CtdbLost):
        reader(bad)


def test_an_error_is_one_line_of_text() -> None:
    said = b"line\nanother\x1b[31m\xff\0rest"
    body = struct.pack("<iII", -1, 0, len(said)) + said
    assert packets.answer(body).error == "line?another?[31m\ufffd"
