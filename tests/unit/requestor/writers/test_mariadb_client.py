"""What `mariadb` is asked, and what is made of its answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.writers.mariadb_client import MariadbClient
from fsrvpd.requestor.writers.ports import WriterFailed
from tests.unit.requestor.writers.fake_mariadb import FakeMariadb


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMariadb:
    return FakeMariadb(tmp_path, monkeypatch)


def test_rows(program: FakeMariadb) -> None:
    session = MariadbClient("db", "/etc/backup.cnf", None)
    assert session.rows("SELECT two", 20) == [["a", "b"], ["c", "d"]]
    assert session.rows("BACKUP STAGE START", 20) == []
    session.close()
    assert program.asked()[0].startswith("ARGV --defaults-extra-file=/etc/backup.cnf --batch")


def test_an_error_ends_the_session(program: FakeMariadb) -> None:
    program.refuse("BACKUP STAGE START")
    session = MariadbClient("db", None, None)
    with pytest.raises(WriterFailed, match="mariadb has ended: ERROR 1 at line 1: no"):
        session.rows("BACKUP STAGE START", 20)
    session.close()
