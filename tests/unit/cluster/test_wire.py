"""Messages of agents, of which every byte is distrusted."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsrvpd.cluster import wire
from fsrvpd.cluster.events import LastWords
from fsrvpd.cluster.members import Here
from fsrvpd.cluster.wire import (
    LARGEST,
    VERSION,
    ForwardedAnswer,
    ForwardedCall,
    Message,
    MountAnswer,
    MountRequest,
    OtherVersion,
    RequestId,
    WireError,
    decode,
    encode,
)
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.ports import Caller

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
NODES = st.integers(0, 4095)
NONCES = st.text("0123456789abcdef", min_size=1, max_size=64)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
REQUESTS = st.builds(RequestId, NONCES, U64)
CALLERS = st.builds(
    Caller,
    *(TEXTS, TEXTS, TEXTS, st.frozensets(TEXTS, max_size=20), U64),
    *(st.integers(-1, 2**32 - 2), st.booleans(), st.booleans()),
)
MESSAGES = st.one_of(
    st.builds(
        Here,
        *(NODES, NONCES, U32, U64, st.frozensets(TEXTS, max_size=20)),
        *(st.integers(0, 2**40).map(float), U64, TEXTS),
    ),
    st.builds(LastWords, NODES, NONCES),
    st.builds(
        ForwardedCall,
        *(NONCES, NODES, REQUESTS, st.integers(0, 86_400_000), CALLERS),
        *(st.sampled_from(Opnum), st.binary(max_size=500)),
    ),
    st.builds(ForwardedAnswer, REQUESTS, st.binary(max_size=500), TEXTS),
    st.builds(MountRequest, NODES, REQUESTS, TEXTS),
    st.builds(MountAnswer, NODES, REQUESTS, TEXTS),
)
HERE = Here(2, "abc", VERSION, 7, frozenset({"clus", "10.0.0.1"}), 1e9, 1 << 40, "cafe")
CALLER = Caller("10.0.0.9", "DOM\\joe", "S-1-5-21-1", frozenset({"S-1-1-0"}), 1 << 17, 1000, False)
CALL = ForwardedCall("lead", 1, RequestId("abc", 9), 120, CALLER, Opnum.SetContext, b"\1\0\0\0")
ANSWER = ForwardedAnswer(RequestId("abc", 9), b"\0\0\0\0", "why")


@given(MESSAGES)
def test_what_is_sent_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", [HERE, LastWords(1, "abc"), CALL, ANSWER])
def test_a_message_that_is_cut_short_is_refused(message: Message) -> None:
    data = encode(message)
    for size in range(len(data)):
        with pytest.raises(WireError):
            decode(data[:size])


@settings(max_examples=300)
@given(st.sampled_from([HERE, LastWords(1, "abc"), CALL, ANSWER]), st.data())
def test_a_damaged_message_is_read_or_refused(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(damaged))
    except WireError:
        return


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_bytes_of_others_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)
    try:
        decode(encode(LastWords(0, "a"))[:8] + data)
    except WireError:
        return


def test_later_versions_may_say_more_of_themselves() -> None:
    later = encode(HERE._replace(wire=VERSION + 1)) + b"something new"
    assert decode(later) == HERE._replace(wire=VERSION + 1)


@pytest.mark.parametrize("message", [CALL, ANSWER])
def test_calls_of_another_version_are_refused(message: Message) -> None:
    data = bytearray(encode(message))
    struct.pack_into("<I", data, 8, VERSION + 1)
    with pytest.raises(OtherVersion):
        decode(bytes(data))


@dataclass
class Wrong:
    """A message with a field that no agent sends."""

    why: str
    message: Message


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("node", HERE._replace(pnn=4096)),
        Wrong("process", HERE._replace(nonce="")),
        Wrong("process", HERE._replace(nonce="x" * 65)),
        Wrong("process", LastWords(1, "a\nevent=leads")),
        Wrong("texts", HERE._replace(names=frozenset(map(str, range(4097))))),
        Wrong("method", CALL._replace(opnum=13)),  # type: ignore[arg-type]
        Wrong("field", CALL._replace(stub=bytes(65537))),
        Wrong(
            "texts", CALL._replace(caller=CALLER._replace(sids=frozenset(map(str, range(8193)))))
        ),
    ],
    ids=lambda wrong: wrong.why,
)
def test_what_no_agent_sends_is_refused(wrong: Wrong) -> None:
    with pytest.raises(WireError, match=wrong.why):
        decode(encode(wrong.message))


def test_a_message_that_is_too_large_is_neither_sent_nor_read() -> None:
    with pytest.raises(WireError, match="too large"):
        encode(CALL._replace(stub=bytes(LARGEST)))
    with pytest.raises(WireError, match=f"{LARGEST + 1} bytes"):
        decode(encode(HERE).ljust(LARGEST + 1, b"\0"))


def test_a_caller_with_flags_of_nobody_is_refused() -> None:
    data = encode(CALL)
    flags = data.rindex(struct.pack("<III", 0, Opnum.SetContext, 4))
    with pytest.raises(WireError, match="flags"):
        decode(data[:flags] + struct.pack("<I", 4) + data[flags + 4 :])


def test_the_longest_reason_is_cut() -> None:
    cut = decode(encode(ANSWER._replace(reason="ü" * 10_000)))
    assert isinstance(cut, ForwardedAnswer)
    assert 2000 < len(cut.reason) <= 4096
    assert wire.encode(cut)
