"""Referrals of DFS from bytes, of honest servers and of others."""

from __future__ import annotations

import struct
from typing import List

import pytest
from hypothesis import given, strategies

from fsrvpd.requestor.smb import dfs_referral
from fsrvpd.requestor.smb.dfs_referral import Malformed, ReferralResponse

PATH = r"\dfs\root\link\vm"
LINK = len(r"\dfs\root\link") * 2


def text(value: str) -> bytes:
    return f"{value}\0".encode("utf-16-le")


def response(entries: List[bytes], consumed: int = LINK, strings: bytes = b"") -> bytes:
    return struct.pack("<HHI", consumed, len(entries), 2) + b"".join(entries) + strings


def newest(targets: List[str], version: int = 4, flags: int = 0) -> bytes:
    """Entries of version 3 or 4 with their strings behind all of them, as servers send them."""
    entries, strings, size = [], b"", 34
    for number, target in enumerate(targets):
        address = (len(targets) - number) * size + len(strings)
        strings += text(target)
        head = struct.pack("<HHHHIHHH", version, size, 0, flags, 300, address, address, address)
        entries.append(head + bytes(16))
    return response(entries, strings=strings)


def oldest(target: str) -> bytes:
    name = text(target)
    return response([struct.pack("<HHHH", 1, 8 + len(name), 0, 0) + name])


def second(target: str) -> bytes:
    head = struct.pack("<HHHHIIHHH", 2, 22, 0, 0, 0, 300, 22, 22, 22)
    return response([head], strings=text(target))


@pytest.mark.parametrize(
    "data",
    [newest([r"\fs2\vm"], 3), newest([r"\fs2\vm"]), second(r"\fs2\vm"), oldest(r"\fs2\vm")],
    ids=["3", "4", "2", "1"],
)
def test_every_version_of_an_entry(data: bytes) -> None:
    assert dfs_referral.parse(data, PATH) == ReferralResponse((r"\fs2\vm",), "vm", False)


def test_targets_that_hold_a_namespace() -> None:
    data = bytearray(newest([r"\dc1\dfs", r"\dc2\dfs"]))
    struct.pack_into("<H", data, 8 + 4, 1)
    assert dfs_referral.parse(bytes(data), PATH).is_root
    assert not dfs_referral.parse(response([]), PATH).is_root


def test_several_targets() -> None:
    targets = [r"\fs2\vm", r"\fs3\größe", r"\fs4\x"]
    assert dfs_referral.parse(newest(targets), PATH).targets == tuple(targets)


@pytest.mark.parametrize(
    ("consumed", "rest"), [(LINK, "vm"), (LINK + 2, "vm"), (len(PATH) * 2, "")]
)
def test_what_is_left_of_the_path(consumed: int, rest: str) -> None:
    data = bytearray(newest([r"\fs2\vm"]))
    struct.pack_into("<H", data, 0, consumed)
    assert dfs_referral.parse(bytes(data), PATH).rest == rest


@pytest.mark.parametrize("consumed", [0, 1, LINK - 2, LINK + 1, len(PATH) * 2 + 2])
def test_a_path_is_not_cut_elsewhere(consumed: int) -> None:
    data = bytearray(newest([r"\fs2\vm"]))
    struct.pack_into("<H", data, 0, consumed)
    with pytest.raises(Malformed, match=r"path|cut in two"):
        dfs_referral.parse(bytes(data), PATH)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        newest([r"\fs2\vm"])[:-2],
        newest([r"\fs2\vm"])[:20],
        newest([r"\dc1"], flags=2),
        newest([r"\fs2\vm"], version=5),
        struct.pack("<HHI", LINK, 65535, 0),
        struct.pack("<HHI", LINK, 2, 0) + bytes(64),
    ],
)
def test_what_is_no_referral_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"."):
        dfs_referral.parse(data, PATH)


@given(strategies.binary(max_size=200))
def test_any_bytes_are_a_referral_or_malformed(data: bytes) -> None:
    for begun in (data, newest([r"\fs2\vm"])[:16] + data, newest([r"\fs2\vm"]) + data):
        try:
            parsed = dfs_referral.parse(begun, PATH)
        except Malformed:
            continue
        assert PATH.endswith(parsed.rest)


def test_a_request_ends_with_its_nul() -> None:
    assert dfs_referral.request(r"\a\b") == b"\x04\0" + text(r"\a\b")
