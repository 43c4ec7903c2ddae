from __future__ import annotations

from fsrvpd import filetime


def test_100_ns_since_1601() -> None:
    assert filetime.from_unix(0) == 116444736000000000
    assert filetime.from_unix(1.5) == 116444736015000000


def test_and_back() -> None:
    assert filetime.to_unix(116444736015000000) == 1.5
