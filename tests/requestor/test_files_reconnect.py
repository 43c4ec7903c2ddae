"""smbd is killed, stopped and started again while files are read: they come over whole, or EIO."""

from __future__ import annotations

import errno
import hashlib
from typing import Iterator, List, Optional

import pytest

from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.small import small_files
from tests.requestor.shadow_data import LARGE, MANY, MIB, SMALL, ShadowData, open_shadow_data


@pytest.fixture(scope="module")
def data() -> Iterator[ShadowData]:
    with open_shadow_data() as opened:
        yield opened


@pytest.mark.parametrize("share", ["data", "vault"])
def test_smbd_is_killed_twice_in_the_middle_of_a_file(data: ShadowData, share: str) -> None:
    value, at, killed = hashlib.sha256(), 0, 0
    with data.tree(share) as tree, data.run(lambda: tree.open("large")) as file:
        pieces = file.chunks()
        while at < LARGE:
            piece = data.run(lambda: next(pieces))
            value.update(piece)
            at += len(piece)
            if at in (5 * MIB, 20 * MIB):
                killed += data.kill_sessions()
        assert (killed, tree.reconnections) == (2, 2)
    assert value.hexdigest() == data.hash_of(share, "large")


def test_smbd_is_killed_while_nothing_is_asked(data: ShadowData) -> None:
    with data.tree("data") as tree, data.run(lambda: tree.open("large")) as file:
        first = data.run(lambda: file.read(0, 10))
        data.kill_sessions()
        assert data.run(lambda: file.read(0, 10)) == first
        data.kill_sessions()
        assert data.run(lambda: tree.entry("large")).size == LARGE
        assert tree.reconnections == 2


def test_smbd_is_killed_in_the_middle_of_a_directory(data: ShadowData) -> None:
    with data.tree("data") as tree:
        entries = tree.entries("many")
        names = [data.run(lambda: next(entries)).name]
        data.kill_sessions()
        names += data.run(lambda: [entry.name for entry in entries])
        assert tree.reconnections == 1
    assert len(set(names)) == len(names) == MANY


def test_smbd_is_killed_between_small_files(data: ShadowData) -> None:
    wanted = [(f"small\\{number}", number * 97) for number in range(SMALL)]
    with data.tree("vault") as tree:
        files = small_files(tree, wanted)
        found = [data.run(lambda: next(files)) for _ in range(50)]
        data.kill_sessions()
        found += data.run(lambda: list(files))
        assert tree.reconnections == 1
    assert [(each.path, len(each.data)) for each in found] == wanted


def test_a_session_that_hangs_is_replaced(data: ShadowData) -> None:
    with data.tree("data", give_up=5.0) as tree, data.run(lambda: tree.open("large")) as file:
        first = data.run(lambda: file.read(0, 10))
        stopped = data.signal_sessions("STOP")
        assert data.run(lambda: file.read(0, 10)) == first
        assert tree.reconnections == 1
    data.lab.run(["kill", "-KILL", *stopped])


def test_a_server_that_comes_back(data: ShadowData) -> None:
    with data.tree("data") as tree, data.run(lambda: tree.open("large")) as file:
        pieces = file.chunks()
        data.run(lambda: next(pieces))
        data.samba.stop()  # and with it what serves connections
        waiting = data.thread.submit(lambda: list(pieces))
        data.samba.start()
        assert sum(map(len, waiting.result(60))) == LARGE - MIB
        assert tree.reconnections == 1


def test_a_server_that_is_gone_for_good(data: ShadowData) -> None:
    with data.tree("data", give_up=5.0) as tree:
        assert data.run(lambda: tree.entry("large")).size == LARGE
        data.samba.stop()  # and with it what serves connections
        failures: List[Optional[int]] = []
        for _ in range(2):
            with pytest.raises(FileFailure, match="cannot be reached") as caught:
                data.run(lambda: tree.entry("large"))
            failures.append(caught.value.errno)
        data.samba.start()
        assert failures == [errno.EIO, errno.EIO]
        assert data.run(lambda: tree.entry("large")).size == LARGE
