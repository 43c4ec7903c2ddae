"""The data directory of a running MariaDB, by the last checkpoint in the log of InnoDB."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Optional

import pytest

from fsrvpd.requestor.writers import mariadb_place
from fsrvpd.requestor.writers.mariadb_client import MariadbClient
from fsrvpd.requestor.writers.mariadb_place import Directory, find, is_older
from fsrvpd.requestor.writers.place import Place
from fsrvpd.requestor.writers.ports import SharedTree, WriterFailed
from tests.unit.requestor.writers.fake_mariadb import FakeMariadb
from tests.unit.requestor.writers.postgresql_trees import share

DIRECTORY = Directory("/srv/db/", "logs\\ib_logfile0")
LAST = 1 << 40


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMariadb:
    return FakeMariadb(tmp_path, monkeypatch)


@pytest.fixture
def session(program: FakeMariadb) -> Iterator[MariadbClient]:
    program.let_checkpoint_be(LAST)
    made = MariadbClient("db", None, None)
    yield made
    made.close()


def written(first: int, second: int, *, form: int = 0x50687973) -> bytes:
    content = bytearray(12288)
    content[:4] = form.to_bytes(4, "big")
    content[4096:4104], content[8192:8200] = first.to_bytes(8, "big"), second.to_bytes(8, "big")
    return bytes(content)


def data(content: Optional[bytes], name: str = "data") -> SharedTree:
    files = {"db\\aria_log_control": b"", f"db\\{DIRECTORY.log}": content}
    return share(name, {path: found for path, found in files.items() if found is not None})


def test_the_directory_and_its_log(program: FakeMariadb, session: MariadbClient) -> None:
    program.let_directories_be("/srv/db/", "NULL", "./redo/x", "undo")
    assert mariadb_place.ask("db", session) == Directory("/srv/db/", "redo\\x\\ib_logfile0")


@pytest.mark.parametrize("form", [0x50687973, 0xD0687973], ids=["plain", "encrypted"])
def test_the_last_checkpoint_is_in_the_log(session: MariadbClient, form: int) -> None:
    older, live = (
        data(written(7, LAST - 1, form=form), "older"),
        data(written(LAST, 7, form=form), "live"),
    )
    assert find("db", DIRECTORY, session, [older, live]) == Place(live, "db")


@pytest.mark.parametrize("position", [LAST - 1, LAST + 1], ids=["older", "another server's"])
def test_another_directory_is_not_taken_for_it(
    session: MariadbClient, position: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mariadb_place, "_PAUSE", 0.0)
    with pytest.raises(WriterFailed, match="data directory /srv/db/ is in none of the shares"):
        find("db", DIRECTORY, session, [data(written(position, 7))])


@pytest.mark.parametrize("content", [None, b"short", written(7, 7, form=0x50485953)])
def test_a_log_that_is_not_known_tells_nothing(
    session: MariadbClient, content: Optional[bytes]
) -> None:
    found = data(content)
    assert find("db", DIRECTORY, session, [found]) == Place(found, "db")
    assert not is_older(Place(found, "db"), DIRECTORY, LAST)


def test_a_server_that_does_not_say_its_checkpoint(
    program: FakeMariadb, session: MariadbClient
) -> None:
    program.let_checkpoint_be("")
    found = data(written(7, 7))
    assert find("db", DIRECTORY, session, [found]) == Place(found, "db")
    assert not is_older(Place(found, "db"), DIRECTORY, mariadb_place.last_checkpoint(session))


def test_what_a_mount_had_covered_is_older() -> None:
    assert is_older(Place(data(written(LAST - 1, 7)), "db"), DIRECTORY, LAST)
    assert not is_older(Place(data(written(7, LAST)), "db"), DIRECTORY, LAST)
