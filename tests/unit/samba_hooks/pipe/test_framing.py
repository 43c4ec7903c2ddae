from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samba_hooks.pipe.framing import MAX_MESSAGE, MessageFraming


def test_length_is_little_endian_and_comes_first() -> None:
    assert MessageFraming.encode(b"x" * 0x102) == b"\x02\x01" + b"x" * 0x102


def test_longest_message_passes_and_one_more_byte_does_not() -> None:
    framing = MessageFraming()
    assert framing.feed(MessageFraming.encode(bytes(MAX_MESSAGE))) == [bytes(MAX_MESSAGE)]
    with pytest.raises(ValueError, match="65536 bytes"):
        MessageFraming.encode(bytes(MAX_MESSAGE + 1))


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_messages_survive_any_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(MessageFraming.encode, messages))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    framing = MessageFraming()
    received = []
    for start, end in zip(edges, edges[1:]):
        received += framing.feed(stream[start:end])
    assert received == messages
    assert not framing.unfinished


def test_a_message_cut_short_stays_unfinished() -> None:
    framing = MessageFraming()
    assert framing.feed(b"\x05\x00abc") == []
    assert framing.unfinished
