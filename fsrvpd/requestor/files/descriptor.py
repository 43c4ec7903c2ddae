"""A security descriptor as it must be written, so that it is the same when it is read again.

Spec: MS-DTYP 2.4.6, MS-FSA 2.1.5.14.
"""

from __future__ import annotations

import struct

from fsrvpd.requestor.files.write_messages import DACL, GROUP, OWNER, SACL

_HEADER = struct.Struct("<BBHIIII")
_DACL_PRESENT, _SACL_PRESENT = 0x4, 0x10
# What says that entries were inherited is kept only if whoever writes asks for it.
_INHERITED_AND_REQUESTED = ((0x400, 0x100), (0x800, 0x200))


def to_write(descriptor: bytes) -> bytes:
    """Raises: ValueError for bytes that are no self-relative descriptor."""
    control = _fields(descriptor)[2]
    for inherited, requested in _INHERITED_AND_REQUESTED:
        if control & inherited:
            control |= requested
    return descriptor[:2] + struct.pack("<H", control) + descriptor[4:]


def parts_of(descriptor: bytes) -> int:
    """Which parts it has. Raises: ValueError."""
    _, _, control, owner, group, _, _ = _fields(descriptor)
    parts = (OWNER if owner else 0) | (GROUP if group else 0)
    parts |= DACL if control & _DACL_PRESENT else 0
    return parts | (SACL if control & _SACL_PRESENT else 0)


def _fields(descriptor: bytes) -> tuple[int, ...]:
    if len(descriptor) < _HEADER.size:
        raise ValueError("a security descriptor that is cut short")
    return _HEADER.unpack_from(descriptor)
