"""Entries of a share, and a share of them in memory."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Union

from fsrvpd.requestor.files.records import Entry, FileFailure

MOMENT = 133_444_736_001_234_567  # a FILETIME of 2023
Found = Union[Entry, FileFailure]


def entry(name: str, **changed: Any) -> Entry:
    whole = Entry(name, False, 5, 8, MOMENT, MOMENT, MOMENT, MOMENT, 0x20, 0, 0)
    return whole._replace(**changed)


def folder(name: str, **changed: Any) -> Entry:
    return entry(name, is_directory=True, size=0, attributes=0x10, **changed)


class Listed:
    """A `Source` that lists what it was given for each directory."""

    def __init__(self, listings: Mapping[str, list[Found]]) -> None:
        self.listings = dict(listings)
        self.gone = False

    def entry(self, path: str) -> Entry:
        if self.gone:
            raise FileFailure(path, "the server is gone")
        return folder("top", file_id=1)

    def entries(self, path: str) -> Iterator[Entry]:
        for each in self.listings.get(path, []):
            if isinstance(each, FileFailure):
                raise each
            yield each
