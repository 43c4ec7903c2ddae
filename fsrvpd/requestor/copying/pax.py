"""Headers of a tar archive in the PAX format, with what Windows files have as extended attributes.

Keywords: `SCHILY.xattr.NAME`, which GNU tar and star restore, holds what a mount shows as the
attribute NAME; `LIBARCHIVE.creationtime` and `GNU.sparse.*` are those of bsdtar and GNU tar. Times
have seven decimal places, the 100 ns of Windows.
"""

from __future__ import annotations

import tarfile
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple

from fsrvpd.requestor.files.records import Entry
from fsrvpd.requestor.files.xattr_names import ATTRIBUTES, CREATED, DESCRIPTOR, STREAM

_XATTR = "SCHILY.xattr."
_EPOCH = 116_444_736_000_000_000  # 1970-01-01 as a FILETIME
_SECOND = 10_000_000
BLOCK = 512
Range = Tuple[int, int]  # offset and length


def xattrs(
    entry: Entry, descriptor: bytes, streams: Iterable[Tuple[str, bytes]]
) -> Mapping[str, bytes]:
    found = {ATTRIBUTES: f"0x{entry.attributes:x}".encode(), CREATED: b"%d" % entry.created}
    if descriptor:
        found[DESCRIPTOR] = descriptor
    for name, content in streams:
        found[STREAM + name] = content
    return found


def header(path: str, entry: Entry, attributes: Mapping[str, bytes], size: int) -> bytes:
    """`size`: bytes of data that follow."""
    return _packed(path, entry, {**_times(entry), **_records(attributes)}, size)


def sparse_header(
    path: str, entry: Entry, attributes: Mapping[str, bytes], ranges: Sequence[Range]
) -> Tuple[bytes, bytes]:
    """The header of a file with holes, and the map that stands before its data. GNU's PAX format
    1.0."""
    marked = ranges if _reaches_end(ranges, entry.size) else [*ranges, (entry.size, 0)]
    numbers: List[int] = [len(marked)]
    for offset, length in marked:
        numbers += (offset, length)
    table = "".join(f"{number}\n" for number in numbers).encode()
    table += bytes(-len(table) % BLOCK)
    size = len(table) + sum(length for _, length in ranges)
    sparse = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": path,
        "GNU.sparse.realsize": str(entry.size),
    }
    records = {**sparse, **_times(entry), **_records(attributes)}
    above, _, name = path.rpartition("/")
    stored = f"{above}/GNUSparseFile.0/{name}" if above else f"GNUSparseFile.0/{name}"
    return _packed(stored, entry, records, size), table


def _reaches_end(ranges: Sequence[Range], size: int) -> bool:
    return bool(ranges) and sum(ranges[-1]) == size


def _packed(path: str, entry: Entry, records: Dict[str, str], size: int) -> bytes:
    info = tarfile.TarInfo(path)
    info.type = tarfile.DIRTYPE if entry.is_directory else tarfile.REGTYPE
    info.mode = 0o700 if entry.is_directory else 0o600
    info.size = size
    info.mtime = max(0, (entry.modified - _EPOCH) // _SECOND)
    info.pax_headers = records
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _times(entry: Entry) -> Dict[str, str]:
    times = (
        ("mtime", entry.modified),
        ("atime", entry.accessed),
        ("ctime", entry.changed),
        ("LIBARCHIVE.creationtime", entry.created),
    )
    return {keyword: unix_time(time) for keyword, time in times if time > 0}


def unix_time(filetime: int) -> str:
    """In seconds since 1970, exactly."""
    past = filetime - _EPOCH
    sign, seconds, rest = "-" if past < 0 else "", *divmod(abs(past), _SECOND)
    return f"{sign}{seconds}.{rest:07}" if rest else f"{sign}{seconds}"


def _records(attributes: Mapping[str, bytes]) -> Dict[str, str]:
    """A keyword ends at `=`, so that GNU tar writes it as %3D. Bytes that are not UTF-8 make
    tarfile say that the values are binary."""
    return {
        _XATTR + name.replace("%", "%25").replace("=", "%3D"): value.decode(
            "utf-8", "surrogateescape"
        )
        for name, value in attributes.items()
    }
