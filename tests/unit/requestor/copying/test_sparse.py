"""Blocks of zeros become holes, and holes are not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.requestor.copying.sparse import BLOCK, data_runs, local_pieces, write_sparsely


@pytest.mark.parametrize(
    ("data", "runs"),
    [
        (b"", []),
        (b"x", [(0, 1)]),
        (bytes(BLOCK), []),
        (bytes(3 * BLOCK + 5), []),
        (bytes(BLOCK) + b"x", [(BLOCK, BLOCK + 1)]),
        (b"x" + bytes(2 * BLOCK), [(0, BLOCK)]),
        (bytes(BLOCK - 1) + b"x" + bytes(BLOCK) + b"x", [(0, BLOCK), (2 * BLOCK, 2 * BLOCK + 1)]),
        (b"\0x" + bytes(BLOCK - 3) + b"\0", [(0, BLOCK)]),
    ],
)
def test_zeros_are_found_in_whole_blocks(data: bytes, runs: list[tuple[int, int]]) -> None:
    assert list(data_runs(data)) == runs


def test_a_file_with_holes_is_written_and_read(tmp_path: Path) -> None:
    data = b"a" * BLOCK + bytes(64 * BLOCK) + b"b" * BLOCK + bytes(64 * BLOCK)
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        os.ftruncate(fd, len(data))
        write_sparsely(fd, data, 0)
        assert os.pread(fd, len(data) + 1, 0) == data
        assert os.fstat(fd).st_blocks * 512 < 8 * BLOCK
        found = list(local_pieces(fd, len(data)))
        assert b"".join(piece.strip(b"\0") for _, piece in found) == b"a" * BLOCK + b"b" * BLOCK
        assert sum(len(piece) for _, piece in found) < 8 * BLOCK
        [(at, piece)] = local_pieces(fd, 10, 5)
        assert (at, piece) == (5, b"aaaaa")
        assert list(local_pieces(fd, 64 * BLOCK, 32 * BLOCK)) == []
    finally:
        os.close(fd)
