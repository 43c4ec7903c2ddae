"""What a cluster says of itself, and positions in its WAL."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.postgresql_cluster import (
    Checkpoint,
    Tablespace,
    ask,
    last_checkpoint,
    position,
)
from fsrvpd.requestor.writers.psql import Psql
from tests.unit.requestor.writers.postgresql_trees import CLUSTER, IDENTIFIER, REDO, TIMELINE, WAL


class AnsweringPsql(Psql):
    def __init__(self, version: str) -> None:
        self._version = version

    def rows(self, statement: str, timeout: float) -> list[list[str]]:
        if "server_version_num" in statement:
            return [[self._version]]
        if "pg_control_checkpoint" in statement:
            return [["1/300060", "3"]]
        if "pg_control_system" in statement:
            return [[str(IDENTIFIER - (1 << 64)), "202209061", "/srv/nas/pg/main", "1048576", "f"]]
        return [["16400", "a", "/srv/a", "{5,16384}"], ["16401", "b", "/srv/b", "{}"]]


def test_what_it_says() -> None:
    spaces = (
        Tablespace("16400", "a", "/srv/a", ("5", "16384")),
        Tablespace("16401", "b", "/srv/b", ()),
    )
    cluster = ask("pg", AnsweringPsql("150004"))
    assert cluster == CLUSTER._replace(tablespaces=spaces)
    assert cluster.major == 15


def test_its_last_checkpoint() -> None:
    assert last_checkpoint(AnsweringPsql("150004")) == Checkpoint(0x1_0030_0060, 3)


def test_an_old_one_is_refused() -> None:
    with pytest.raises(WriterFailed, match="PostgreSQL 10 is older than 11"):
        ask("pg", AnsweringPsql("100023"))


def test_positions_and_segments() -> None:
    assert position("1/300028") == REDO
    assert CLUSTER.segment(TIMELINE, REDO) == WAL
    large = CLUSTER._replace(segment_size=16 << 20)
    assert large.segment(1, position("0/FFFFFFFF")) == "0000000100000000000000FF"
    assert large.segment(1, position("1/0")) == "000000010000000100000000"
