"""The requests of SMB that write, in bytes. Spec: MS-SMB2 2.2.13, 2.2.21, 2.2.31, 2.2.39; MS-FSCC
2.4.7, 2.4.14."""

from __future__ import annotations

import struct

from fsrvpd.requestor.files.messages import HEADER_SIZE, Request, ioctl, name_bytes

WRITE, SET_INFO, CREATE = 9, 17, 5
# Access: MS-SMB2 2.2.13.1.
WRITE_DATA, WRITE_ATTRIBUTES, WRITE_DAC, WRITE_OWNER = 0x2, 0x100, 0x40000, 0x80000
# Dispositions: 2.2.13.
OPEN, OPEN_IF, OVERWRITE_IF = 1, 3, 5
OWNER, GROUP, DACL, SACL = 1, 2, 4, 8  # parts of a security descriptor
_NO_TIME = 1 << 63  # from there on numbers have other meanings
_SET_SPARSE = 0x900C4
_FILE, _SECURITY = 1, 3
_BASIC, _END_OF_FILE = 4, 20
_BACKUP_INTENT = 0x4000
_IMPERSONATION, _SHARED = 2, 7
_CREATE = struct.Struct("<HBBIQQIIIIIHHII")
_WRITE = struct.Struct("<HHIQ16sIIHHI")
_SET_INFO = struct.Struct("<HBBIHHI16s")


def create(
    name: str, access: int, *, disposition: int = OPEN, options: int = 0, attributes: int = 0
) -> Request:
    data = name_bytes(name)
    place = HEADER_SIZE + _CREATE.size
    how = (access, attributes, _SHARED, disposition, options | _BACKUP_INTENT)
    body = _CREATE.pack(57, 0, 0, _IMPERSONATION, 0, 0, *how, place, len(data), 0, 0)
    return Request(CREATE, body + (data or b"\0" * 8))


def write(file_id: bytes, offset: int, data: bytes) -> Request:
    place = HEADER_SIZE + _WRITE.size
    body = _WRITE.pack(49, place, len(data), offset, file_id, 0, 0, 0, 0, 0)
    return Request(WRITE, body + data, len(data))


def set_sparse(file_id: bytes) -> Request:
    return ioctl(file_id, _SET_SPARSE, b"\x01", 0)


def set_size(file_id: bytes, size: int) -> Request:
    return _set_info(file_id, _FILE, _END_OF_FILE, struct.pack("<Q", size))


def set_basic(
    file_id: bytes, attributes: int, created: int = 0, accessed: int = 0, modified: int = 0
) -> Request:
    """Times are FILETIMEs; 0 leaves one as it is, and so does one that is none."""
    times = (time if time < _NO_TIME else 0 for time in (created, accessed, modified, 0))
    data = struct.pack("<4qII", *times, attributes, 0)
    return _set_info(file_id, _FILE, _BASIC, data)


def set_security(file_id: bytes, parts: int, descriptor: bytes) -> Request:
    return _set_info(file_id, _SECURITY, 0, descriptor, parts)


def _set_info(file_id: bytes, kind: int, info_class: int, data: bytes, parts: int = 0) -> Request:
    place = HEADER_SIZE + _SET_INFO.size
    body = _SET_INFO.pack(33, kind, info_class, len(data), place, 0, parts, file_id)
    return Request(SET_INFO, body + data, len(data))
