"""Headers as Python's tarfile, which borg uses, reads them again."""

from __future__ import annotations

import io
import tarfile

import pytest

from fsrvpd.requestor.copying import pax
from tests.unit.requestor.copying.entries import MOMENT, entry, folder

DESCRIPTOR = bytes(range(256))


def read(data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    data += bytes(-len(data) % pax.BLOCK + 2 * pax.BLOCK)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|", errors="surrogateescape") as archive:
        found = archive.next()
        assert found is not None
        file = archive.extractfile(found)
        return found, file.read() if file else b""


def raw(found: tarfile.TarInfo, keyword: str) -> bytes:
    return found.pax_headers[keyword].encode("utf-8", "surrogateescape")


def test_everything_comes_back() -> None:
    facts = pax.xattrs(entry("ä"), DESCRIPTOR, [("Zone.Identifier", b"\xff\0"), ("a=b%", b"")])
    found, content = read(pax.header("d/ä", entry("ä"), facts, 5) + b"hello")
    assert (found.name, content, found.isfile()) == ("d/ä", b"hello", True)
    assert raw(found, "SCHILY.xattr.user.smb.security_descriptor") == DESCRIPTOR
    assert raw(found, "SCHILY.xattr.user.smb.attributes") == b"0x20"
    assert raw(found, "SCHILY.xattr.user.smb.creation_time") == b"%d" % MOMENT
    assert raw(found, "SCHILY.xattr.user.smb.stream.Zone.Identifier") == b"\xff\0"
    assert "SCHILY.xattr.user.smb.stream.a%3Db%25" in found.pax_headers
    for keyword in ("mtime", "atime", "ctime", "LIBARCHIVE.creationtime"):
        assert found.pax_headers[keyword] == "1700000000.1234567"


def test_a_directory() -> None:
    found, _ = read(pax.header("d/", folder("d"), {}, 0))
    assert found.isdir()


@pytest.mark.parametrize(
    "ranges", [[], [(0, 4)], [(4, 4)], [(0, 2), (6, 2)]], ids=["none", "begin", "end", "both"]
)
def test_a_file_with_holes(ranges: list[tuple[int, int]]) -> None:
    head, table = pax.sparse_header("d/f", entry("f", size=8), {}, ranges)
    data = b"".join(b"x" * length for _, length in ranges)
    found, content = read(head + table + data)
    expected = bytearray(8)
    for offset, length in ranges:
        expected[offset : offset + length] = b"x" * length
    assert (found.name, found.size, content) == ("d/f", 8, bytes(expected))


@pytest.mark.parametrize(
    ("filetime", "text"),
    [
        (116_444_736_000_000_000, "0"),
        (116_444_736_000_000_001, "0.0000001"),
        (116_444_735_985_000_000, "-1.5000000"),
        (1, "-11644473599.9999999"),
    ],
)
def test_times_are_exact(filetime: int, text: str) -> None:
    assert pax.unix_time(filetime) == text
