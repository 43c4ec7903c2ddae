"""Descriptors as they are written."""

from __future__ import annotations

import struct

import pytest

from fsrvpd.requestor.files import descriptor
from fsrvpd.requestor.files.write_messages import DACL, GROUP, OWNER, SACL


def made(control: int, owner: int = 20, group: int = 32) -> bytes:
    return struct.pack("<BBHIIII", 1, 0, control, owner, group, 0, 44) + b"rest"


def test_inheritance_is_asked_for() -> None:
    written = descriptor.to_write(made(0x8C14))
    assert written == made(0x8F14)
    assert descriptor.to_write(made(0x8014)) == made(0x8014)


@pytest.mark.parametrize(
    ("data", "parts"),
    [(made(0x8004), OWNER | GROUP | DACL), (made(0x8014, 0, 0), DACL | SACL), (made(0x8000), 3)],
)
def test_parts(data: bytes, parts: int) -> None:
    assert descriptor.parts_of(data) == parts


@pytest.mark.parametrize("data", [b"", bytes(19)])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="cut short"):
        descriptor.to_write(data)
