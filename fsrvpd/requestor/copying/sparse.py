"""Files with holes: blocks of zeros are not written, and only what is there is read."""

from __future__ import annotations

import errno
import os
from typing import Iterator, Tuple

BLOCK = 64 << 10  # bytes: a hole that is shorter saves little
_ZEROS = bytes(BLOCK)
_PIECE = 1 << 20  # bytes


def write_sparsely(fd: int, data: bytes, offset: int) -> None:
    """Into a file that has a hole there. Raises: OSError."""
    for start, end in data_runs(data):
        write_all(fd, data if (start, end) == (0, len(data)) else data[start:end], offset + start)


def data_runs(data: bytes) -> Iterator[Tuple[int, int]]:
    """Begin and end of what is not zeros, in whole blocks."""
    begin = -1
    for start in range(0, len(data), BLOCK):
        if _is_zeros(data, start):
            if begin >= 0:
                yield begin, start
                begin = -1
        elif begin < 0:
            begin = start
    if begin >= 0:
        yield begin, len(data)


def _is_zeros(data: bytes, start: int) -> bool:
    """Most data differ in their first byte, or the last one."""
    end = min(start + BLOCK, len(data))
    if data[start] or data[end - 1]:
        return False
    return data[start:end] == _ZEROS[: end - start]


def write_all(fd: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(fd, left, offset)
        left, offset = left[written:], offset + written


def local_pieces(fd: int, end: int, begin: int = 0) -> Iterator[Tuple[int, bytes]]:
    """What is in a file there, without holes: offsets and bytes. Raises: OSError."""
    for at, stop in _local_ranges(fd, begin, end):
        while at < stop:
            data = os.pread(fd, min(_PIECE, stop - at), at)
            if not data:
                return  # it has become shorter
            yield at, data
            at += len(data)


def _local_ranges(fd: int, position: int, end: int) -> Iterator[Tuple[int, int]]:
    while position < end:
        try:
            begin = os.lseek(fd, position, os.SEEK_DATA)
            position = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            raise
        if begin < end:
            yield begin, min(position, end)
