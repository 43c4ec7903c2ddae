"""`FileTree` on shadow copies of btrfs and XFS, behind smbd and fsrvpd: everything comes over."""

from __future__ import annotations

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, Iterator, List

import pytest

from fsrvpd import filetime
from fsrvpd.requestor.files.many import Workers
from fsrvpd.requestor.files.open_file import OpenFile
from fsrvpd.requestor.files.records import SPARSE, Entry, FileFailure, unsafe
from fsrvpd.requestor.files.small import small_files
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.opening import open_copy
from fsrvpd.requestor.smb.credentials import Credentials
from lab.accounts import ROOT
from lab.namespaces import enter_network
from tests.requestor.shadow_data import (
    HOLES,
    LARGE,
    LONG_NAME,
    MANY,
    MIB,
    SMALL,
    ShadowData,
    open_shadow_data,
)

DEEP = "deep\\" + "d" * 200 + "\\" + "e" * 200
SHARES = ("data", "vault")


@pytest.fixture(scope="module")
def data() -> Iterator[ShadowData]:
    with open_shadow_data() as opened:
        yield opened


def everything(tree: FileTree, path: str = "") -> Dict[str, Entry]:
    found = {}
    for entry in tree.entries(path):
        assert unsafe(entry.name) == ""
        name = f"{path}\\{entry.name}" if path else entry.name
        found[name] = entry
        if entry.is_directory:
            found.update(everything(tree, name))
    return found


def hashed(file: OpenFile) -> str:
    value = hashlib.sha256()
    for piece in file.chunks():
        value.update(piece)
    return value.hexdigest()


def read_hash(data: ShadowData, tree: FileTree, path: str) -> str:
    def work() -> str:
        with tree.open(path) as file:
            return hashed(file)

    return data.run(work)


@pytest.mark.parametrize("share", SHARES)
def test_the_tree_is_that_of_the_share(data: ShadowData, share: str) -> None:
    root = data.lab.seen(data.paths[share])
    with data.tree(share) as tree:
        found = data.run(lambda: everything(tree))
    names = set()
    for folder, directories, files in os.walk(root):
        names |= {os.path.relpath(os.path.join(folder, each), root) for each in directories + files}
    assert {name.replace("\\", "/") for name in found} == names
    assert LONG_NAME in found
    assert found[f"{DEEP}\\file"].size == len("deepest\n")
    assert found["folder\\empty"].is_directory
    assert found["large"].size == LARGE


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("path", ["large", "holes", "empty", f"{DEEP}\\file", "ä 😀.txt"])
def test_content(data: ShadowData, share: str, path: str) -> None:
    with data.tree(share) as tree:
        assert read_hash(data, tree, path) == data.hash_of(share, path)


def test_a_copy_is_opened_by_the_library(data: ShadowData) -> None:
    credentials = Credentials(ROOT.name, ROOT.password)

    def names() -> List[str]:
        with open_copy(data.made[0], credentials) as tree:
            return [entry.name for entry in tree.entries("folder")]

    assert sorted(data.run(names)) == ["empty", "inner"]
    assert data.connections() == 0


def test_content_of_an_encrypted_session(data: ShadowData) -> None:
    with data.tree("data", encrypt=True) as tree:
        assert read_hash(data, tree, "large") == data.hash_of("data", "large")


@pytest.mark.parametrize("dialect", ["SMB2_02", "SMB2_10", "SMB3_00"])
def test_older_dialects(data: ShadowData, dialect: str) -> None:
    """SMB 2.0.2 has no requests of more than 64 KiB; each signs in another way."""
    data.samba.set_option("server max protocol", dialect)
    data.samba.reload()
    try:
        with data.tree("vault") as tree:
            assert read_hash(data, tree, "large") == data.hash_of("vault", "large")
            assert len(data.run(lambda: list(tree.entries("small")))) == SMALL
        if dialect == "SMB3_00":  # the first that encrypts
            with data.tree("vault", encrypt=True) as tree:
                assert read_hash(data, tree, "large") == data.hash_of("vault", "large")
    finally:
        data.samba.set_option("server max protocol", None)
        data.samba.reload()


def test_a_share_of_dfs(data: ShadowData) -> None:
    with data.tree("dfs", share_itself=True) as tree:
        found = [each.name for each in data.run(lambda: list(tree.entries("folder")))]
        assert sorted(found) == ["empty", "inner"]
        assert read_hash(data, tree, "folder\\inner") == data.hash_of("data", "folder/inner")


def test_one_connection_serves_several_threads(data: ShadowData) -> None:
    local = data.lab.seen(data.paths["data"]) / "large"
    expected = local.read_bytes()
    with data.tree("data") as tree, ThreadPoolExecutor(6) as pool:
        file = data.run(lambda: tree.open("large"))
        parts = list(pool.map(lambda at: file.read(at, 3 * MIB + 1), range(0, LARGE, 3 * MIB + 1)))
        assert data.connections() == 1
        file.close()
    assert b"".join(parts) == expected


def test_an_entry_is_the_same_in_its_directory_and_open(data: ShadowData) -> None:
    with data.tree("data", prefix="folder") as tree:
        [listed] = [each for each in data.run(lambda: list(tree.entries(""))) if each.size]
        asked = data.run(lambda: tree.entry("inner"))
        with data.run(lambda: tree.open("inner")) as file:
            opened = file.entry
        assert data.run(lambda: tree.entry("")).name == "folder"
    assert listed == asked == opened
    assert listed.file_id != 0


def test_times_and_attributes(data: ShadowData) -> None:
    with data.tree("data") as tree:
        entry = data.run(lambda: tree.entry("empty"))
        hidden = data.run(lambda: tree.entry("folder\\inner"))
    local = data.lab.seen(data.paths["data"]) / "empty"
    assert entry.modified == local.stat().st_mtime_ns // 100 + filetime.from_unix(0)
    assert entry.modified % 10_000_000 == 1234567
    assert hidden.attributes & 0x6 == 0x6  # hidden and system


def test_security_descriptors(data: ShadowData) -> None:
    with data.tree("data") as copy, data.tree("data", share_itself=True) as share:
        found = data.run(lambda: copy.security_descriptor("folder\\inner"))
        assert found == data.run(lambda: share.security_descriptor("folder\\inner"))
        assert found != data.run(lambda: copy.security_descriptor("large"))
    sid = data.samba.sid(data.reader)
    last = int(sid.rpartition("-")[2]).to_bytes(4, "little")
    assert found[0] == 1
    assert last in found


def test_streams(data: ShadowData) -> None:
    with data.tree("data") as tree:
        found = dict(data.run(lambda: tree.streams("folder\\inner")))
        assert found == {"Zone.Identifier": 15, "ü": 15}
        with data.run(lambda: tree.open("folder\\inner", "ü")) as stream:
            assert data.run(lambda: stream.read(0, 100)) == b"[ZoneTransfer]\n"
        assert data.run(lambda: tree.streams("large")) == []
        assert data.run(lambda: tree.streams("folder")) == []


@pytest.mark.parametrize("share", SHARES)
def test_holes(data: ShadowData, share: str) -> None:
    with data.tree(share) as tree:
        with data.run(lambda: tree.open("holes")) as file:
            assert file.entry.attributes & SPARSE
            ranges = data.run(file.data_ranges)
            parts = [data.run(lambda at=at: file.read(at, 16)) for at, _ in ranges]  # type: ignore[misc]
        with data.run(lambda: tree.open("large")) as file:
            assert data.run(file.data_ranges) == [(0, LARGE)]
    assert [at for at, _ in ranges] == [0, 20 * MIB]
    assert sum(length for _, length in ranges) < MIB
    assert [part.rstrip(b"\0") for part in parts] == [b"begin", b"middle"]
    assert file.entry.size != HOLES


def test_a_directory_of_several_batches(data: ShadowData) -> None:
    with data.tree("data") as tree:
        names = data.run(lambda: [entry.name for entry in tree.entries("many")])
    assert sorted(names) == sorted(f"file{number}" for number in range(1, MANY + 1))


def test_what_may_not_be_read_or_is_not_there(data: ShadowData) -> None:
    failures: List[int] = []
    with data.tree("data", user=data.reader) as tree:
        for path in ("secret", "gone", "gone\\inner", "folder"):
            with pytest.raises(FileFailure) as caught:
                data.run(lambda path=path: tree.open(path).read(0, 1))  # type: ignore[misc]
            assert path in str(caught.value)
            failures.append(caught.value.errno)
        with pytest.raises(FileFailure) as caught:
            data.run(lambda: list(tree.entries("large")))
    assert failures == [errno.EACCES, errno.ENOENT, errno.ENOENT, errno.EISDIR]
    assert caught.value.errno == errno.ENOTDIR


@pytest.mark.parametrize("with_metadata", [False, True])
def test_small_files(data: ShadowData, with_metadata: bool) -> None:
    wanted = [(f"small\\{number}", number * 97) for number in range(SMALL)]
    wanted.append(("folder\\inner", 6))
    with data.tree("data") as tree:
        found = data.run(lambda: list(small_files(tree, wanted, with_metadata=with_metadata)))
        if with_metadata:
            inner = found[-1]
            assert inner.descriptor == data.run(lambda: tree.security_descriptor(inner.path))
            assert dict(inner.streams) == {"Zone.Identifier": 15, "ü": 15}
    assert [each.path for each in found] == [path for path, _ in wanted]
    assert [each.failure for each in found] == [None] * len(wanted)
    for each in found:
        assert hashlib.sha256(each.data).hexdigest() == data.hash_of("data", each.path)


def test_what_it_costs_in_messages(data: ShadowData) -> None:
    wanted = [(f"small\\{number}", number * 97) for number in range(SMALL)]
    with data.tree("data") as tree:
        sent: List[int] = []

        def count(work: Callable[[], object]) -> None:
            before = tree.messages_sent
            data.run(work)
            sent.append(tree.messages_sent - before)

        data.run(lambda: tree.entry(""))
        count(lambda: list(tree.entries("small")))
        count(lambda: list(small_files(tree, wanted, with_metadata=True)))
        count(lambda: read_and_close(tree, "large"))
        count(lambda: read_and_close(tree, "folder\\inner"))
    assert sent == [2, SMALL + 2, LARGE // MIB + 2, 2]  # two: the SACL is refused, once


def read_and_close(tree: FileTree, path: str) -> None:
    with tree.open(path) as file:
        hashed(file)


def test_small_files_by_workers(data: ShadowData) -> None:
    wanted = [(f"small\\{number}", number * 97) for number in range(SMALL)]

    def connect() -> object:
        enter_network(data.lab._init)
        return data.log_in()

    with Workers(connect, data.copies["data"], count=2) as workers:  # type: ignore[arg-type]
        found = list(workers.small_files([*wanted, ("gone", 1)]))
    assert found[-1].failure is not None
    large = (data.lab.seen(data.paths["data"]) / "large").read_bytes()
    assert [each.data for each in found[:-1]] == [large[:size] for _, size in wanted]
    assert data.connections() == 0
