"""PostgreSQL at work on the shares of a NAS: what is restored from the copies starts, and its sums
agree; what would not start is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share
from lab.namespaces import wait_until
from tests.requestor.command_host import Host as CommandHost
from tests.requestor.databases import Postgres
from tests.requestor.writer_jobs import FAILED, Answer, configuration, run_job

ADDRESS = "127.0.0.9"
ONE, SPACE = rf"\\{ADDRESS}\one", rf"\\{ADDRESS}\space"


class Host(NamedTuple):
    """`database` works on the share `one`; `space` is another volume, and a share."""

    lab: Lab
    host: CommandHost
    samba: Samba
    daemon: FsrvpdProcess
    database: Postgres

    def run(self, shares: list[str], target: str = "", **keys: Any) -> Answer:
        """Back up to a directory of this name, or do nothing with the copies."""
        writer = {"kind": "postgresql", "connect": self.database.connect, **keys}
        command = ["cp", "-r", ".", self.target(target)] if target else ["true"]
        return run_job(self.host, shares, {"pg": writer}, command)

    def target(self, name: str) -> Path:
        return self.lab.directory / f"restored-{name}"

    def restored(self, name: str, share: str = "one") -> Postgres:
        """The cluster in the copy of a share, with nothing added."""
        copy = Postgres(self.lab, self.target(name) / share / "pg" / "main", name)
        self.lab.run(["chown", "-R", f"{copy.user}:", self.target(name)])
        self.lab.run(["chmod", "0700", copy.data])
        self.lab.run(["rm", copy.data / "postmaster.pid"])
        return copy

    def commits(self) -> int:
        return [call.method for call in self.daemon.calls()].count("CommitShadowCopySet")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        volumes = {name: lab.volume("btrfs", name, 1 << 30) for name in ("one", "space")}
        samba = Samba(lab, [Share(name, volumes[name]) for name in volumes])
        samba.start()
        daemon = FsrvpdProcess(lab, samba)
        daemon.start()
        database = Postgres(lab, volumes["one"] / "pg" / "main", "live")
        database.make()
        database.start()
        database.tool("pgbench", "-h", database.sockets, "-i", "-q", "-s", "2", "postgres")
        yield Host(lab, CommandHost(lab, samba.root), samba, daemon, database)


def test_a_cluster_in_one_copy_needs_nothing_but_the_copy(host: Host) -> None:
    bench = host.database.begin_bench()
    before = host.commits()
    answer = host.run([ONE], "one")
    bench.kill()
    assert answer.status == 0, answer
    assert host.commits() == before + 1
    window = answer.event("writers-thawed")
    assert 0 < window["window_ms"] < 10_000
    assert window["worst_writer"] == "pg"
    copy = host.restored("one")
    assert not (copy.data / "backup_label").exists()
    assert not (host.target("one") / "writer-pg").exists()
    copy.start()
    assert len(copy.sums()) == 1
    assert copy.sums() != {""}
    copy.stop()


def test_an_older_copy_of_the_cluster_is_not_taken_for_it(host: Host) -> None:
    """Its path ends as the cluster's own does, and its pg_control has the same identifier."""
    older = host.lab.directory / "one" / host.database.data.relative_to("/")
    other = host.lab.directory / "space" / "pg"
    for place in (older.parent, other):
        host.lab.run(["mkdir", "-p", place])
        host.lab.run(["cp", "-r", host.database.data, place])
    try:
        answer = host.run([SPACE])
        assert answer.status == FAILED
        assert "main is in none of the shares" in answer.error
        answer = host.run([ONE], "newer")
        assert answer.status == 0, answer
    finally:
        host.lab.run(["rm", "-r", older.parent, other])


@pytest.fixture(scope="module")
def two_shares(host: Host) -> Host:
    """The same host, and a tablespace of its database on the other share."""
    location = host.lab.directory / "space" / "pg" / "history"
    host.lab.run(["mkdir", "-p", location])
    host.lab.run(["chown", host.database.user, location])
    host.database.sql(f"CREATE TABLESPACE history LOCATION '{location}'")
    host.database.sql("ALTER TABLE pgbench_history SET TABLESPACE history")
    return host


def test_a_cluster_over_two_shares_needs_the_files_beside_the_copies(two_shares: Host) -> None:
    bench = two_shares.database.begin_bench()
    answer = two_shares.run([ONE, SPACE], "two")
    bench.kill()
    assert answer.status == 0, answer
    assert two_shares.database.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    two_shares.host.assert_no_state_is_left()
    copy, kept = two_shares.restored("two"), two_shares.target("two") / "writer-pg"
    text = two_shares.lab.seen(kept / "RESTORE.txt").read_text()
    assert f"tablespace history  {two_shares.lab.directory}/space/pg/history  in  {SPACE}" in text
    two_shares.lab.run(["sh", "-ec", RESTORE, "sh", kept, copy.data])
    moved = two_shares.target("two") / "space" / "pg" / "history"
    two_shares.lab.run(
        ["sed", "-i", f"s#^\\([0-9]*\\) .*#\\1 {moved}#", copy.data / "tablespace_map"]
    )
    copy.start()
    assert len(copy.sums()) == 1
    assert copy.sums() != {""}
    assert copy.sql(
        "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname='history'"
    ) == str(moved)
    copy.stop()


RESTORE = """
rm -rf "$2/pg_wal"/*
cp -a "$1/backup_label" "$2/"
! test -e "$1/tablespace_map" || cp -a "$1/tablespace_map" "$2/"
cp -a "$1/pg_wal/." "$2/pg_wal/"
chown -R postgres: "$2"
"""


def test_it_is_refused_without_its_wal(two_shares: Host) -> None:
    two_shares.database.sql("CREATE ROLE backup LOGIN REPLICATION IN ROLE pg_monitor")
    two_shares.database.sql("GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop TO backup")
    before = two_shares.commits()
    login = f"host={two_shares.database.sockets} user=backup dbname=postgres"
    answer = two_shares.run([ONE, SPACE], connect=login)
    assert answer.status == FAILED
    assert "its WAL cannot be read, and without it no copy would start" in answer.error
    assert two_shares.commits() == before
    assert two_shares.database.sql("SELECT count(*) FROM pg_replication_slots") == "0"


def test_a_user_with_few_rights_is_enough(two_shares: Host) -> None:
    """What the documentation says to grant."""
    two_shares.database.sql(
        "CREATE ROLE few LOGIN REPLICATION IN ROLE pg_monitor, pg_read_server_files, pg_checkpoint"
    )
    two_shares.database.sql(GRANT)
    login = f"host={two_shares.database.sockets} user=few dbname=postgres"
    answer = two_shares.run([ONE, SPACE], connect=login)
    assert answer.status == 0, answer


GRANT = (
    "GRANT EXECUTE ON FUNCTION pg_backup_start, pg_backup_stop,"
    " pg_read_binary_file(text, bigint, bigint) TO few"
)


@pytest.mark.parametrize(
    ("shares", "keys", "error"),
    [
        ([ONE], {}, "tablespace history"),
        ([SPACE], {}, "its data directory"),
        ([ONE, SPACE], {"mode": "checkpoint"}, "not in one share"),
        ([ONE], {"connect": "host=/none"}, "psql has ended: psql: error: connection"),
        ([ONE], {"connect": "host=nas password=secret"}, "has a password in it"),
    ],
)
def test_refusals_come_before_the_server_is_asked(
    two_shares: Host, shares: list[str], keys: dict[str, Any], error: str
) -> None:
    calls = len(two_shares.daemon.calls())
    answer = two_shares.run(shares, **keys)
    assert answer.status == FAILED
    assert error in answer.error
    assert "secret" not in str(answer)
    assert len(two_shares.daemon.calls()) == calls


def test_a_copy_that_was_cloned_file_by_file_is_refused(host: Host) -> None:
    """XFS: the reflink provider. Nothing but backup mode makes such a copy one that starts."""
    volume = host.lab.volume("xfs", "files", 512 << 20)
    host.samba.set_share(Share("files", volume))
    database = Postgres(host.lab, volume / "pg" / "main", "files")
    database.make()
    database.start()
    share, login = rf"\\{ADDRESS}\files", database.connect
    answer = host.run([share], connect=login)
    assert answer.status == FAILED
    assert 'file by file, not all files at one moment; set mode = "backup"' in answer.error
    assert host.daemon.ask("list-sets") == []
    answer = host.run([share], "cloned", connect=login, mode="backup")
    assert answer.status == 0, answer
    copy, kept = host.restored("cloned", "files"), host.target("cloned") / "writer-pg"
    host.lab.run(["sh", "-ec", RESTORE, "sh", kept, copy.data])
    copy.start()
    copy.stop()
    database.stop()


def test_a_killed_run_leaves_nothing_that_clean_does_not_remove(two_shares: Host) -> None:
    """No session, no slot, and not the files beside the copies."""
    writer = {"kind": "postgresql", "connect": two_shares.database.connect}
    host = two_shares.host
    host.write_configuration(configuration([ONE, SPACE], {"pg": writer}))
    begun = two_shares.lab.directory / "begun"
    run = host.start("run", "-c", "writers", "--", "sh", "-c", 'touch "$0"; sleep 600', begun)
    wait_until("COMMAND runs", begun.exists, 60)
    assert any(path.endswith("/writer-pg") for path in host.mounts())
    run.process.kill()
    slots = "SELECT count(*) FROM pg_replication_slots"
    wait_until("the session has ended", lambda: two_shares.database.sql(slots) == "0")
    assert "writer-pg: removed" in host.done("clean")
    host.assert_no_state_is_left()
