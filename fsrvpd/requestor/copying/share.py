"""A share as it is read for a copy, and its times as a Unix system has them."""

from __future__ import annotations

from typing import Iterator, Protocol, Sequence, Tuple

from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import Entry

_EPOCH = 116_444_736_000_000_000  # 1970-01-01 as a FILETIME
_LAST = 2**63 - 1  # ns, which the kernel can be told


class Share(Protocol):
    """A `FileTree`."""

    def entry(self, path: str) -> Entry: ...

    def entries(self, path: str) -> Iterator[Entry]: ...

    def open(self, path: str, stream: str = "") -> OpenFile: ...

    def streams(self, path: str) -> Sequence[Tuple[str, int]]: ...

    def security_descriptor(self, path: str) -> bytes: ...


def unix_ns(filetime: int) -> int:
    """Nanoseconds since 1970, not before it, and not after what a system can count."""
    return min(max(0, filetime - _EPOCH) * 100, _LAST)
