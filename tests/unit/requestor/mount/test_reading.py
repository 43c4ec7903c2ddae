from __future__ import annotations

import random
from typing import List, Sequence, Tuple

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.reading import AHEAD, SMALL, Reader
from tests.unit.requestor.mount.trees import MemoryFile, entry

PIECE = 1 << 17
CONTENT = random.Random(1).randbytes(24 << 20)


def opened(content: bytes, **more: Sequence[Tuple[int, int]]) -> Tuple[Reader, MemoryFile]:
    file = MemoryFile(entry("x", len(content)), content, piece=300_000, log=[], **more)
    return Reader(file, len(content)), file


def began(file: MemoryFile) -> List[int]:
    return [offset for what, offset in file.log if what == "chunks"]


def test_a_small_file_is_read_once() -> None:
    reader, file = opened(CONTENT[: SMALL - 1])
    assert reader.read(0, 1000) == CONTENT[:1000]
    assert reader.read(1000, SMALL) == CONTENT[1000 : SMALL - 1]
    assert file.log == [("read", 0)]


def test_a_large_file_is_read_on_from_one_request_to_the_next() -> None:
    reader, file = opened(CONTENT)
    parts = [reader.read(offset, PIECE) for offset in range(0, len(CONTENT), PIECE)]
    assert b"".join(parts) == CONTENT
    assert began(file) == [0]
    assert reader.read(len(CONTENT), PIECE) == b""
    reader.close()
    assert file.log[-1] == ("close", 0)


def test_pieces_that_come_out_of_order_are_served_from_the_same_reading() -> None:
    reader, file = opened(CONTENT)
    offsets = list(range(0, len(CONTENT), PIECE))
    for at in range(0, len(offsets) - 8, 8):
        group = offsets[at : at + 8]
        random.Random(at).shuffle(group)
        for offset in group:
            assert reader.read(offset, PIECE) == CONTENT[offset : offset + PIECE]
    assert began(file) == [0]


def test_far_pieces_are_read_alone_and_a_new_sequence_is_taken_up() -> None:
    reader, file = opened(CONTENT)
    reader.read(0, PIECE)
    far = 3 * AHEAD
    assert reader.read(far, PIECE) == CONTENT[far : far + PIECE]
    assert file.log == [("chunks", 0), ("read", far)]
    assert reader.read(far + PIECE, PIECE) == CONTENT[far + PIECE : far + 2 * PIECE]
    assert began(file) == [0, far + PIECE]


def test_after_a_failure_a_reading_begins_anew() -> None:
    class Failing(MemoryFile):
        def chunks(self, offset: int = 0, length: object = None):  # type: ignore[no-untyped-def]
            self.log.append(("chunks", offset))
            yield self.content[offset : offset + PIECE]
            if len(self.log) == 1:
                raise RequestorError("x", "the server is gone", "")
            yield self.content[offset + PIECE :]

    reader = Reader(Failing(entry("x"), CONTENT, log=[]), len(CONTENT))
    assert reader.read(0, PIECE) == CONTENT[:PIECE]
    with pytest.raises(RequestorError):
        reader.read(PIECE, PIECE)
    assert reader.read(PIECE, PIECE) == CONTENT[PIECE : 2 * PIECE]


def test_a_file_that_is_shorter_than_its_size_ends_early() -> None:
    file = MemoryFile(entry("x"), CONTENT[: 2 * SMALL], log=[])
    reader = Reader(file, 4 * SMALL)
    assert reader.read(2 * SMALL - 10, 100) == CONTENT[2 * SMALL - 10 : 2 * SMALL]
    assert reader.read(3 * SMALL, 100) == b""


def test_holes() -> None:
    reader, _ = opened(b"x" * 1000, ranges=[(100, 50), (150, 50), (400, 100)])
    assert reader.seek_data(0) == 100
    assert reader.seek_data(120) == 120
    assert reader.seek_data(500) is None
    assert reader.seek_hole(0) == 0
    assert reader.seek_hole(100) == 200
    assert reader.seek_hole(450) == 500
    whole, _ = opened(b"x" * 1000)
    assert (whole.seek_data(7), whole.seek_hole(7)) == (7, 1000)
