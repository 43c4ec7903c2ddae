"""Builds named_pipe_auth requests from facts, independently of the parser under test.

Held against real captures of levels 4, 7 and 8 byte for byte (test_npa.py), so that it
can be trusted with what no capture exists of: level 5, and tokens with claims.
"""

from __future__ import annotations

import struct
from typing import Any, Mapping, Optional

TIMES_AND_COUNTS_SIZE = 6 * 8 + 2 * 2 + 4


class NdrWriter:
    def __init__(self) -> None:
        self.data = bytearray()
        self._referent = 0x00020000

    def align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)

    def raw(self, data: bytes) -> None:
        self.data += data

    def number(self, size: int, value: int) -> None:
        self.align(size)
        self.data += value.to_bytes(size, "little")

    def pointer(self, present: bool) -> None:
        self.number(4, self._referent if present else 0)
        self._referent += 4 if present else 0

    def string(self, text: Optional[str]) -> None:
        if text is None:
            return
        raw = text.encode() + b"\0"
        for value in (len(raw), 0, len(raw)):
            self.number(4, value)
        self.raw(raw)

    def sid(self, text: str) -> None:
        authority, *parts = map(int, text.split("-")[2:])
        self.align(4)
        self.raw(bytes([1, len(parts)]) + authority.to_bytes(6, "big"))
        self.raw(struct.pack(f"<{len(parts)}I", *parts))

    def blob(self, data: bytes) -> None:
        self.number(4, len(data))
        self.raw(data)


def build(facts: Mapping[str, Any], level: int, ticket_type: bool, claims: int = 0) -> bytes:
    """A whole request, with its length. `facts` is the `request` part of a vector."""
    writer = NdrWriter()
    writer.raw(bytes(4) + b"NPAM")
    writer.number(4, level)
    writer.number(4, level)
    _pipe_info(writer, facts, level)
    _session(writer, facts, level, ticket_type, claims)
    writer.data[0:4] = (len(writer.data) - 4).to_bytes(4, "big")
    return bytes(writer.data)


def _pipe_info(writer: NdrWriter, facts: Mapping[str, Any], level: int) -> None:
    names = [facts["client_name"], facts["client_address"]]
    names += [facts["server_name"], facts["server_address"]]
    if level >= 5:
        writer.number(1, 1)
    for name in names[:2]:
        writer.pointer(name is not None)
    writer.number(2, facts["client_port"])
    for name in names[2:]:
        writer.pointer(name is not None)
    writer.number(2, facts["server_port"])
    writer.pointer(True)
    if level == 5:
        writer.number(1, 0)
    for name in names:
        writer.string(name)


def _session(
    writer: NdrWriter, facts: Mapping[str, Any], level: int, ticket_type: bool, claims: int
) -> None:
    writer.pointer(True)
    writer.blob(b"")
    for _ in range(4):
        writer.pointer(True)
    writer.pointer(False)
    writer.blob(bytes(facts["session_key_size"]))
    writer.pointer(False)
    writer.align(4)
    writer.raw(bytes.fromhex(facts["session_token"]))
    if ticket_type:
        writer.number(2, 0)
    _token(writer, facts, level, claims)
    _unix_token(writer, facts)
    _user_info(writer, facts, level)
    for name in facts["unix_names"]:
        writer.pointer(name is not None)
    for name in facts["unix_names"]:
        writer.string(name)


def _token(writer: NdrWriter, facts: Mapping[str, Any], level: int, claims: int) -> None:
    writer.align(8)
    for _ in range(2):
        writer.number(4, len(facts["sids"]))
    for sid in facts["sids"]:
        writer.sid(sid)
    writer.number(8, facts["privileges"])
    writer.number(4, 0)
    if level < 8:
        return
    device_sids = facts.get("device_sids", [])
    for count in (0, claims, 0, len(device_sids)):
        writer.number(4, count)
    for count in (0, claims, 0, len(device_sids)):
        writer.number(4, count)
    for sid in device_sids:
        writer.sid(sid)
    writer.number(2, facts.get("evaluate_claims", 1))


def _unix_token(writer: NdrWriter, facts: Mapping[str, Any]) -> None:
    writer.number(4, len(facts["groups"]))
    writer.number(8, facts["uid"])
    writer.number(8, facts["gid"])
    writer.number(4, len(facts["groups"]))
    for group in facts["groups"]:
        writer.number(8, group)


def _user_info(writer: NdrWriter, facts: Mapping[str, Any], level: int) -> None:
    names = facts["user_strings"]
    writer.pointer(names[0] is not None)
    writer.pointer(names[1] is not None)
    writer.number(1, 0)
    for name in names[2:]:
        writer.pointer(name is not None)
    writer.align(4)
    writer.raw(bytes.fromhex(facts["times_and_counts"]))
    if level >= 8:
        flags = facts.get("user_flags", 0)
        writer.number(4, flags if facts["authenticated"] else flags | 1)
    else:
        writer.number(1, 1 if facts["authenticated"] else 0)
    for name in names:
        writer.string(name)
