"""PostgreSQL and MariaDB of Debian's packages, in a directory of a lab, each as its own user."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

from lab import Lab, LabProcess
from lab.namespaces import Argument, wait_until

PG = Path("/usr/lib/postgresql/15/bin")
SUMS = (
    "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM"
    " pgbench_branches), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(delta) FROM"
    " pgbench_history)"
)


def as_user(user: str) -> list[Argument]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]


class Postgres:
    """A cluster in `data`, of which `sockets` is the directory of its socket."""

    user = "postgres"

    def __init__(self, lab: Lab, data: Path, name: str) -> None:
        self.lab, self.data = lab, data
        self.sockets = lab.directory / f"sockets-{name}"
        self.log = self.sockets / "log"
        lab.run(["mkdir", "-p", data.parent, self.sockets])
        lab.run(["chown", self.user, data.parent, self.sockets])

    @property
    def connect(self) -> str:
        return f"host={self.sockets} user={self.user} dbname=postgres"

    def make(self) -> None:
        self.tool("initdb", "-D", self.data, "-A", "trust", "-N", "--wal-segsize=1")

    def start(self, *, check: bool = True) -> bool:
        options = f"-k {self.sockets} -c listen_addresses='' -c fsync=off"
        words = ["-D", self.data, "-l", self.log, "-w", "-o", options, "start"]
        done = self.lab.run([*as_user(self.user), PG / "pg_ctl", *words], check=False)
        assert done.returncode == 0 or not check, self.log.read_text()
        return done.returncode == 0

    def stop(self) -> None:
        self.tool("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def tool(self, program: str, *words: Argument) -> str:
        return self.lab.run([*as_user(self.user), PG / program, *words]).stdout

    def sql(self, statement: str, user: Optional[str] = None) -> str:
        words = ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        login = ["-h", self.sockets, "-U", user or self.user]
        return self.tool("psql", *login, *words, "postgres").strip()

    def begin_bench(self) -> LabProcess:
        """Begin work, of which some is done when this returns."""
        login: Sequence[Argument] = ["-h", self.sockets, "-U", self.user]
        argv = [*as_user(self.user), PG / "pgbench", *login]
        process = self.lab.popen([*argv, "-c", "4", "-T", "600", "-n", "postgres"])
        wait_until("it works", lambda: int(self.sql("SELECT count(*) FROM pgbench_history")) > 200)
        return process

    def sums(self) -> set[str]:
        """Of the tables of pgbench: four that agree are one."""
        return set(self.sql(SUMS).split("|"))


class Mariadb:
    """A server with its data in `data`, whose only login is root's, by `option_file`."""

    user = "mysql"

    def __init__(self, lab: Lab, data: Path, name: str) -> None:
        self.lab, self.data = lab, data
        self._directory = lab.directory / f"mariadb-{name}"
        lab.run(["mkdir", "-p", data.parent, self._directory])
        lab.run(["chown", self.user, data.parent, self._directory])
        self.option_file = self._directory / "client.cnf"
        self.option_file.write_text(f"[client]\nsocket={self._directory}/socket\nuser=root\n")
        self._process: Optional[LabProcess] = None

    def make(self) -> None:
        options = [f"--datadir={self.data}", f"--user={self.user}", "--skip-test-db"]
        options.append("--auth-root-authentication-method=normal")
        self.lab.run(["mariadb-install-db", "--no-defaults", *options])

    def start(self) -> None:
        options = [f"--datadir={self.data}", f"--user={self.user}", "--skip-networking"]
        options += [f"--socket={self._directory}/socket", f"--pid-file={self._directory}/pid"]
        options += ["--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
        log = self._directory / "log"
        self._process = self.lab.popen(["mariadbd", "--no-defaults", *options], output=log)
        wait_until("MariaDB answers", lambda: self._ask("SELECT 1", check=False) == "1", 60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()

    def sql(self, statement: str) -> str:
        return self._ask(statement)

    def begin(self, statement: str) -> LabProcess:
        """Begin to repeat a statement, until the server ends."""
        client = ["mariadb", f"--defaults-file={self.option_file}"]
        return self.lab.popen(["sh", "-c", 'yes "$1" | { shift; "$@"; }', "sh", statement, *client])

    def _ask(self, statement: str, *, check: bool = True) -> str:
        argv = ["mariadb", f"--defaults-file={self.option_file}", "-N", "-B", "-e", statement]
        return self.lab.run(argv, check=check).stdout.strip()
