"""MariaDB at work on a share: what is restored from the copy starts, and its tables agree."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share
from lab.namespaces import wait_until
from tests.requestor.command_host import Host as CommandHost
from tests.requestor.databases import Mariadb
from tests.requestor.writer_jobs import FAILED, JOB, Answer, configuration, run_job

SHARE, OLDER = r"\\127.0.0.9\data", r"\\127.0.0.9\older"
TABLES = """
CREATE DATABASE work;
CREATE TABLE work.transactions (n INT) ENGINE=InnoDB;
CREATE TABLE work.statements (n INT, KEY (n)) ENGINE=MyISAM;
"""
TRANSACTION = (
    "START TRANSACTION; INSERT INTO work.transactions VALUES (7);"
    " INSERT INTO work.transactions VALUES (-7); COMMIT;"
)
STATEMENT = "INSERT INTO work.statements VALUES (7), (-7);"


class Host(NamedTuple):
    lab: Lab
    host: CommandHost
    daemon: FsrvpdProcess
    database: Mariadb

    def run(
        self, target: str = "", *, share: str = SHARE, window: float = 10, timeout: float = 5
    ) -> Answer:
        """Back up to a directory of this name, or do nothing with the copy."""
        option_file = str(self.database.option_file)
        writer = {"kind": "mariadb", "option_file": option_file, "timeout": timeout}
        command = ["cp", "-r", ".", self.lab.directory / target] if target else ["true"]
        return run_job(self.host, [share], {"db": writer}, command, window=window)

    def restored(self, name: str) -> Mariadb:
        copy = Mariadb(self.lab, self.lab.directory / name / "data" / "db" / "data", name)
        self.lab.run(["chown", "-R", f"{copy.user}:", self.lab.directory / name])
        return copy

    def wait_for_rows(self, more: int = 1) -> None:
        """Until both tables have more rows than now."""
        for table in ("transactions", "statements"):
            count = f"SELECT COUNT(*) FROM work.{table}"
            self._wait_until_at_least(count, int(self.database.sql(count)) + more)

    def _wait_until_at_least(self, count: str, number: int) -> None:
        wait_until(f"{count} >= {number}", lambda: int(self.database.sql(count)) >= number)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        volume = lab.volume("btrfs", "data", 1 << 30)
        lab.run(["mkdir", "-p", volume / "older" / "db"])
        samba = Samba(lab, [Share("data", volume), Share("older", volume / "older")])
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        database = Mariadb(lab, volume / "db" / "data", "live")
        database.make()
        database.start()
        database.sql(TABLES)
        database.begin(TRANSACTION)
        database.begin(STATEMENT)
        host = Host(lab, CommandHost(lab, samba.root), daemon, database)
        host.wait_for_rows(100)
        yield host


def test_innodb_and_myisam_agree_in_the_copy(host: Host) -> None:
    answer = host.run("restored")
    assert answer.status == 0, answer
    assert "CommitShadowCopySet" in [call.method for call in host.daemon.calls()]
    assert answer.event("writers-thawed")["window_ms"] < 10_000
    copy = host.restored("restored")
    copy.start()
    for table in ("transactions", "statements"):
        assert int(copy.sql(f"SELECT COUNT(*) FROM work.{table}")) > 100
        assert copy.sql(f"SELECT SUM(n) FROM work.{table}") == "0"
        assert copy.sql(f"CHECK TABLE work.{table}").split("\t")[-1] == "OK"
    copy.kill()


def test_a_freeze_that_is_kept_waiting_is_given_up_and_released(host: Host) -> None:
    """Whoever holds a lock lets nobody in for as long as BACKUP STAGE waits for it."""
    lock = "LOCK TABLES work.statements WRITE; SELECT SLEEP(600)"
    client = ["mariadb", f"--defaults-file={host.database.option_file}", "-e", lock]
    host.lab.popen(client)
    sleeping = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)'"
    wait_until("the table is locked", lambda: host.database.sql(sleeping) != "")
    answer = host.run(timeout=1)
    assert answer.status == FAILED
    assert "writer db" in answer.error
    host.database.sql(f"KILL {host.database.sql(sleeping)}")
    host.wait_for_rows()
    assert host.run().status == 0


def test_work_goes_on_after_a_window_that_was_too_short(host: Host) -> None:
    answer = host.run(window=0.01)
    assert answer.status == FAILED
    assert "the window" in answer.error or "was not frozen after" in answer.error
    host.wait_for_rows()
    assert host.daemon.ask("list-sets") == []


def test_an_older_copy_of_the_data_directory_is_not_taken_for_it(host: Host) -> None:
    """Its path ends as that of the server's own does."""
    host.lab.run(["cp", "-r", host.database.data, host.lab.directory / "data" / "older" / "db"])
    position = "SHOW GLOBAL STATUS LIKE 'Innodb_lsn_last_checkpoint'"
    copied = host.database.sql(position)
    for name in ("pct_lwm = 0.001", "pct = 0"):
        host.database.sql(f"SET GLOBAL innodb_max_dirty_pages_{name}")
    wait_until("there is another checkpoint", lambda: host.database.sql(position) != copied)
    answer = host.run(share=OLDER)
    assert answer.status == FAILED
    assert "is in none of the shares" in answer.error
    assert host.run().status == 0


def test_work_goes_on_while_the_client_is_stopped(host: Host) -> None:
    """By Ctrl-Z for example: its session with the server goes on, and held commits for ever."""
    stop = ["sh", "-c", "kill -STOP $PPID; sleep 600"]
    writers = {
        "db": {"kind": "mariadb", "option_file": str(host.database.option_file)},
        "stop": {"freeze": stop, "thaw": ["true"], "priority": 1, "timeout": 600},
    }
    host.host.write_configuration(configuration([SHARE], writers, window=8))
    running = host.host.start(*JOB, "true")
    running.wait_for('"event": "writer-frozen"')
    host.wait_for_rows()
    running.process.resume()
    assert running.process.wait(60) == FAILED, running.said()
    assert host.run().status == 0
