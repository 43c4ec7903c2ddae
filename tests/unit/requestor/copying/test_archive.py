"""Archives of files whose server tells one thing and sends another."""

from __future__ import annotations

import io
import tarfile
from typing import Iterable, Iterator, Optional, Sequence, Tuple, cast

from fsrvpd.requestor.copying.archive import Archive
from fsrvpd.requestor.copying.shortfalls import Shortfall, Shortfalls
from fsrvpd.requestor.copying.totals import Totals
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import Entry
from fsrvpd.requestor.files.small import SmallFile, Wanted
from tests.unit.requestor.copying.entries import Listed, entry

MUCH = 300_000


class Large:
    """Bytes of a large file, with `ranges` that are told in turn."""

    def __init__(self, content: bytes, *ranges: Sequence[Tuple[int, int]]) -> None:
        self.entry: Entry = entry("f", size=len(content))
        self._content, self._ranges = content, list(ranges)

    def data_ranges(self) -> Sequence[Tuple[int, int]]:
        return self._ranges.pop(0) if self._ranges else [(0, len(self._content))]

    def chunks(self, offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]:
        yield self._content[offset:][:length]

    def __enter__(self) -> Large:
        return self

    def __exit__(self, *args: object) -> None:
        return


class Share(Listed):
    def __init__(self, listed: Entry, file: Large) -> None:
        super().__init__({"": [listed]})
        self._file = file

    def open(self, path: str, stream: str = "") -> OpenFile:
        return cast(OpenFile, self._file)

    def streams(self, path: str) -> Sequence[Tuple[str, int]]:
        return ()

    def security_descriptor(self, path: str) -> bytes:
        return b"descriptor"


def no_small_file(wanted: Iterable[Wanted]) -> Iterator[SmallFile]:
    assert not list(wanted)
    return iter(())


def archived(share: Share) -> tarfile.TarFile:
    written, lacking = io.BytesIO(), list[Shortfall]()
    shortfalls = Shortfalls(lacking.append)
    Archive(share, no_small_file, written.write, shortfalls, Totals()).run()
    assert lacking == []
    written.seek(0)
    return tarfile.open(fileobj=written)


def content(archive: tarfile.TarFile) -> bytes:
    found = archive.extractfile("f")
    assert found is not None
    return found.read()


def test_a_file_is_as_long_as_it_is_and_not_as_its_directory_says() -> None:
    for size in (MUCH + 1000, MUCH - 1000):
        data = b"x" * size
        assert content(archived(Share(entry("f", size=MUCH), Large(data)))) == data


def test_a_server_cannot_write_headers_of_an_archive() -> None:
    evil = tarfile.TarInfo("evil").tobuf()
    data = (bytes(512) + evil).ljust(MUCH, b"\0")
    large = Large(data, [(0, 512)], [(0, MUCH)])
    archive = archived(Share(entry("f", size=MUCH), large))
    assert archive.getnames() == [".", "f"]
