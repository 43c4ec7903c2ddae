"""The stages of BACKUP STAGE, and how they end when something goes wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from fsrvpd.requestor.writers.mariadb import MariadbWriter
from fsrvpd.requestor.writers.ports import SharedTree, WriterFailed
from tests.unit.requestor.writers.fake_mariadb import FakeMariadb
from tests.unit.requestor.writers.postgresql_trees import share

MARK = "db\\aria_log_control"
SHARE = share("data", {MARK: b""})


def writer_of(*shares: SharedTree) -> MariadbWriter:
    return MariadbWriter("db", shares=lambda: shares)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMariadb:
    return FakeMariadb(tmp_path, monkeypatch)


def stages(program: FakeMariadb) -> list[str]:
    words = [line.rstrip(";").split() for line in program.asked()]
    return [each[2] for each in words if each[:2] == ["BACKUP", "STAGE"]]


def test_the_stages(program: FakeMariadb) -> None:
    writer = writer_of(SHARE)
    writer.prepare()
    assert stages(program) == ["START"]
    writer.freeze()
    assert stages(program)[1:] == ["FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"]
    writer.thaw()
    assert stages(program)[4:] == ["END"]
    writer.close()
    assert writer.thaw_recipe() is None


def test_the_server_ends_what_a_stopped_client_holds(program: FakeMariadb) -> None:
    writer = MariadbWriter("db", shares=lambda: [SHARE], window=2.5)
    writer.prepare()
    writer.freeze()
    asked = program.asked()
    at = asked.index("SET SESSION wait_timeout = 4;")
    assert asked[at + 1 :][:1] == ["BACKUP STAGE FLUSH;"]
    assert asked.index("BACKUP STAGE START;") < at, "preparing may take as long as it likes"
    writer.close()


def test_a_freeze_that_fails_is_ended_with_its_session(program: FakeMariadb) -> None:
    program.refuse("BACKUP STAGE BLOCK_COMMIT")
    writer = writer_of(SHARE)
    writer.prepare()
    with pytest.raises(WriterFailed, match="ERROR 1"):
        writer.freeze()
    writer.thaw()
    assert "KILL CONNECTION 42;" in program.asked()
    assert stages(program)[-2:] == ["START", "END"]  # of a session that could not begin otherwise
    writer.close()


def test_a_session_that_was_lost_while_it_held_commits_makes_no_backup(
    program: FakeMariadb,
) -> None:
    writer = writer_of(SHARE)
    writer.prepare()
    writer.freeze()
    program.refuse("BACKUP STAGE END")
    with suppress(WriterFailed):  # the new session is refused as well
        writer.thaw()
    with pytest.raises(WriterFailed, match="its session was lost while it held commits"):
        writer.complete([SHARE])
    writer.close()


def test_a_stage_that_does_not_end_is_not_thawed(program: FakeMariadb) -> None:
    writer = writer_of(SHARE)
    writer.prepare()
    program.refuse("BACKUP STAGE BLOCK_COMMIT", "BACKUP STAGE START")
    with pytest.raises(WriterFailed):
        writer.freeze()
    with pytest.raises(WriterFailed, match="ERROR 1"):
        writer.thaw()
    writer.close()


@pytest.mark.parametrize("directory", ["/srv/logs", "../logs"])
def test_files_outside_of_the_data_directory_are_in_no_copy(
    program: FakeMariadb, directory: str
) -> None:
    program.let_directories_be("/srv/db/", "NULL", directory, "./")
    writer = writer_of(SHARE)
    with pytest.raises(WriterFailed, match=r"innodb_log_group_home_dir is .*outside"):
        writer.prepare()
    writer.close()


def test_directories_in_the_data_directory_are(program: FakeMariadb) -> None:
    program.let_directories_be("/srv/db/", "", "/srv/db/logs", "undo")
    writer = writer_of(SHARE)
    writer.prepare()
    writer.close()


def test_a_data_directory_in_none_of_the_shares(program: FakeMariadb) -> None:
    writer = writer_of(share("data", {}))
    with pytest.raises(WriterFailed, match="/srv/db/ is in none of the shares"):
        writer.prepare()
    writer.close()


@pytest.mark.parametrize(
    ("copy", "error"),
    [
        (share("data", {MARK: b""}, first_id=100), "file by file"),
        (share("data", {}), "is not in the copy"),
        (share("other", {}), "has no copy"),
    ],
)
def test_a_copy_that_would_not_start(program: FakeMariadb, copy: SharedTree, error: str) -> None:
    writer = writer_of(SHARE)
    writer.prepare()
    with pytest.raises(WriterFailed, match=error):
        writer.complete([copy])
    writer.complete([SHARE])
    writer.close()
