"""How long databases hold still for a set of their share: the window of `fsrvpshadow`'s writers.

The databases work as fast as they can while sets are made, on btrfs behind one smbd. The window
is what the command prints: from the begin of the first freeze to the end of the last thaw, with the
commits of all servers in between.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Iterator, NamedTuple

from lab import FsrvpdProcess, Lab, Samba, Share
from tests.requestor.command_host import Host
from tests.requestor.databases import Mariadb, Postgres
from tests.requestor.writer_jobs import run_job

ROUNDS = 20
SHARE = r"\\127.0.0.9\data"


class Windows(NamedTuple):
    """In ms. `freeze`: the median of the freeze itself."""

    median: float
    worst: float
    freeze: float


def measure(rounds: int = ROUNDS) -> dict[str, Windows]:
    with server() as (host, volume):
        postgres = Postgres(host.lab, volume / "pg" / "main", "bench")
        postgres.make()
        postgres.start()
        postgres.tool("pgbench", "-h", postgres.sockets, "-i", "-q", "-s", "5", "postgres")
        bench = postgres.begin_bench()
        one = {"kind": "postgresql", "connect": postgres.connect}
        found = {
            "PostgreSQL, in one copy": windows(host, one, rounds),
            "PostgreSQL, backup mode": windows(host, {**one, "mode": "backup"}, rounds),
        }
        bench.kill()
        postgres.stop()
        mariadb = Mariadb(host.lab, volume / "db" / "data", "bench")
        mariadb.make()
        mariadb.start()
        mariadb.sql("CREATE DATABASE work; CREATE TABLE work.t (n INT) ENGINE=InnoDB")
        mariadb.begin("INSERT INTO work.t VALUES (1);")
        two = {"kind": "mariadb", "option_file": str(mariadb.option_file)}
        found["MariaDB"] = windows(host, two, rounds)
        return found


@contextmanager
def server() -> Iterator[tuple[Host, Path]]:
    with Lab() as lab:
        volume = lab.volume("btrfs", "data", 4 << 30)
        samba = Samba(lab, [Share("data", volume)])
        samba.start()
        FsrvpdProcess(lab, samba).start()
        yield Host(lab, samba.root), volume


def windows(host: Host, writer: dict[str, str], rounds: int) -> Windows:
    whole, freezes = [], []
    for _ in range(rounds):
        answer = run_job(host, [SHARE], {"database": writer})
        if answer.status:
            raise RuntimeError(answer.said)
        whole.append(answer.event("writers-thawed")["window_ms"])
        freezes.append(answer.event("writer-frozen")["ms"])
    return Windows(median(whole), max(whole), median(freezes))
