from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security.pac import LogonInfo, parse_logon_info
from tests.paths import VECTORS

SAMPLE = (VECTORS / "kerberos" / "pac_logon_info_samba4.17.12_dc.bin").read_bytes()
DOMAIN_SID_END = 0x1A4


def spoilt(at: int, value: int) -> bytes:
    blob = bytearray(SAMPLE)
    struct.pack_into("<I", blob, at, value)
    return bytes(blob)


def test_sample_of_a_samba_dc() -> None:
    assert parse_logon_info(SAMPLE) == LogonInfo(
        "fsadmin", "LAB", "S-1-5-21-2121505567-4158919338-3898774341-1103"
    )


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (0x00, 0x00080110, "no logon information"),  # big-endian
        (0x10, 0, "empty"),
        (0xAC, 0, "no domain SID"),
        (0x84, 0, "string header|two"),  # no groups, but they follow
        (0x144, 4, "two counts"),
        (0xEC + 4, 1, "string header"),
        (0xEC + 8, 6, "two lengths"),
        (0x188, 5, "no SID"),
        (0x18C, 0x00000402, "no SID"),
        (0x18C, 0x00001001, "no SID"),
    ],
)
def test_contradictions_are_refused(at: int, value: int, why: str) -> None:
    with pytest.raises(AuthenticationError, match=why):
        parse_logon_info(spoilt(at, value))


@given(st.integers(0, DOMAIN_SID_END - 1))
def test_every_shorter_sample_is_refused(size: int) -> None:
    with pytest.raises(AuthenticationError):
        parse_logon_info(SAMPLE[:size])


@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=8))
def test_nothing_else_escapes(changes: list[tuple[int, int]]) -> None:
    blob = bytearray(SAMPLE)
    for place, value in changes:
        blob[place] = value
    with suppress(AuthenticationError):
        assert parse_logon_info(bytes(blob)).user_sid.startswith("S-1-")


def test_huge_blob_is_refused() -> None:
    with pytest.raises(AuthenticationError):
        parse_logon_info(SAMPLE + bytes(1024 * 1024))
