"""The requests of SMB that files need, in bytes, and what their answers hold, which is hostile.

Spec: MS-SMB2 2.2.13 to 2.2.38.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Tuple

HEADER_SIZE = 64
LONGEST_PATH = 32767  # UTF-16 units: a request has no room for more
CREATE, CLOSE, READ, IOCTL, ECHO, QUERY_DIRECTORY, QUERY_INFO = 5, 6, 8, 11, 13, 14, 16
RELATED = b"\xff" * 16  # the file that the request before has opened
# Access, MS-SMB2 2.2.13.1; options, 2.2.13.
READ_DATA, READ_ATTRIBUTES, READ_CONTROL, SYSTEM_SECURITY = 0x1, 0x80, 0x20000, 0x1000000
DIRECTORY_FILE, NON_DIRECTORY_FILE, BACKUP_INTENT, REPARSE_POINT = 0x1, 0x40, 0x4000, 0x200000
FILE_INFO, SECURITY_INFO = 1, 3
OWNER_GROUP_DACL, SACL = 7, 8  # parts of a security descriptor
INTERNAL_INFO, STREAM_INFO, TAG_INFO = 6, 22, 35
ID_FULL_DIRECTORY = 38
RESTART_SCANS = 1
QUERY_ALLOCATED_RANGES = 0x940CF

_ALL_SHARED, _OPEN, _IMPERSONATION = 7, 1, 2
_IS_FSCTL = 1
_CREATE = struct.Struct("<HBBIQQIIIIIHHII")
_CREATED = struct.Struct("<HBBI6QII16sII")
_CLOSE = struct.Struct("<HHI16s")
_READ = struct.Struct("<HBBIQ16sIIIHHB")
_READ_ANSWER = struct.Struct("<HBBIII")
_QUERY_DIRECTORY = struct.Struct("<HBBI16sHHI")
_QUERY_INFO = struct.Struct("<HBBIHHIII16sB")
_QUERY_ANSWER = struct.Struct("<HHI")
_IOCTL = struct.Struct("<HHI16s8I")
_IOCTL_ANSWER = struct.Struct("<HHI16s6I")


class Malformed(Exception):
    """The server's bytes are not what the specification says."""


class Request(NamedTuple):
    """`payload`: bytes that it sends or asks for, which credits pay for."""

    command: int
    body: bytes
    payload: int = 0


class Answer(NamedTuple):
    """`data` begins with the header."""

    status: int
    data: memoryview


class Created(NamedTuple):
    file_id: bytes
    times: Tuple[int, int, int, int]  # created, accessed, modified, changed
    allocated: int
    size: int
    attributes: int


def create(name: str, access: int, options: int) -> Request:
    r"""Open what is there. `name`: with `\` between components and none before the first."""
    data = name_bytes(name)
    place = HEADER_SIZE + _CREATE.size
    options |= BACKUP_INTENT
    how = (_IMPERSONATION, 0, 0, access, 0, _ALL_SHARED, _OPEN, options)
    body = _CREATE.pack(57, 0, 0, *how, place, len(data), 0, 0)
    return Request(CREATE, body + (data or b"\0" * 8))


def name_bytes(name: str) -> bytes:
    """Raises: Malformed."""
    data = name.encode("utf-16-le", "surrogatepass")
    if len(data) > 2 * LONGEST_PATH:
        raise Malformed(f"a name of more than {LONGEST_PATH} characters")
    return data


def close(file_id: bytes) -> Request:
    return Request(CLOSE, _CLOSE.pack(24, 0, 0, file_id))


def read(file_id: bytes, offset: int, length: int) -> Request:
    place = HEADER_SIZE + _READ_ANSWER.size
    return Request(
        READ, _READ.pack(49, place, 0, length, offset, file_id, 0, 0, 0, 0, 0, 0), length
    )


def query_directory(file_id: bytes, size: int, flags: int = 0) -> Request:
    place = HEADER_SIZE + _QUERY_DIRECTORY.size
    body = _QUERY_DIRECTORY.pack(33, ID_FULL_DIRECTORY, flags, 0, file_id, place, 2, size)
    return Request(QUERY_DIRECTORY, body + b"*\0", size)


def query_info(file_id: bytes, kind: int, info_class: int, size: int, parts: int = 0) -> Request:
    body = _QUERY_INFO.pack(41, kind, info_class, size, 0, 0, 0, parts, 0, file_id, 0)
    return Request(QUERY_INFO, body, size)


def ioctl(file_id: bytes, code: int, data: bytes, size: int) -> Request:
    place = HEADER_SIZE + _IOCTL.size
    head = (57, 0, code, file_id, place, len(data), 0, 0, 0, size, _IS_FSCTL, 0)
    return Request(IOCTL, _IOCTL.pack(*head) + data, max(size, len(data)))


def echo() -> Request:
    return Request(ECHO, struct.pack("<HH", 4, 0))


def created(answer: Answer) -> Created:
    fields = _unpack(_CREATED, answer)
    made, accessed, modified, changed, allocated, size, attributes = fields[4:11]
    if max(allocated, size) >> 63:
        raise Malformed("a size below 0")
    times = (made, accessed, modified, changed)
    return Created(fields[12], times, allocated, size, attributes)


def read_data(answer: Answer) -> memoryview:
    _, place, _, length, _, _ = _unpack(_READ_ANSWER, answer)
    return _part(answer, place, length)


def queried(answer: Answer) -> memoryview:
    """What QUERY_DIRECTORY or QUERY_INFO has brought."""
    _, place, length = _unpack(_QUERY_ANSWER, answer)
    return _part(answer, place, length)


def control_data(answer: Answer) -> memoryview:
    fields = _unpack(_IOCTL_ANSWER, answer)
    return _part(answer, fields[6], fields[7])


def _unpack(shape: struct.Struct, answer: Answer) -> tuple[Any, ...]:
    if len(answer.data) < HEADER_SIZE + shape.size:
        raise Malformed("an answer that is cut short")
    return shape.unpack_from(answer.data, HEADER_SIZE)


def _part(answer: Answer, place: int, length: int) -> memoryview:
    if length and (place < HEADER_SIZE or place + length > len(answer.data)):
        raise Malformed("an answer with data beyond its end")
    return answer.data[place : place + length]
