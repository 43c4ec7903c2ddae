"""FILETIME, in which the protocols of Windows count time: 100 ns since 1601-01-01 UTC.

Spec: MS-DTYP 2.3.3.
"""

from __future__ import annotations

_EPOCH = 11_644_473_600  # seconds from 1601-01-01 to 1970-01-01 UTC
_PER_SECOND = 10_000_000


def from_unix(seconds: float) -> int:
    return int((seconds + _EPOCH) * _PER_SECOND)


def to_unix(filetime: int) -> float:
    """Seconds since 1970-01-01 UTC."""
    return filetime / _PER_SECOND - _EPOCH
