"""Only the agent that leads a cluster changes its registry. The database is one that libtdb wrote,
as ctdbd does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.cluster import LEADER, Ballot, Leader, leader_value
from samba_hooks.ctdb.packets import LTDB

from .conftest import Nas

OURS, THEIRS = Ballot(3, 0, "0urs"), Ballot(4, 2, "the1rs")
STORE = """
import ctypes, os, sys
class Data(ctypes.Structure):
    _fields_ = [("pointer", ctypes.c_char_p), ("size", ctypes.c_size_t)]
tdb = ctypes.CDLL("libtdb.so.1")
tdb.tdb_open.restype = ctypes.c_void_p
file = ctypes.c_void_p(tdb.tdb_open(os.fsencode(sys.argv[1]), 0, 0, os.O_RDWR | os.O_CREAT, 0o600))
key, value = (bytes.fromhex(word) for word in sys.argv[2:])
assert tdb.tdb_store(file, Data(key, len(key)), Data(value, len(value)), 0) == 0
"""


def write(path: Path, ballot: Ballot) -> None:
    value = LTDB.pack(ballot.term, 0, 0, 0) + leader_value(Leader(ballot, "transact10n", "1"))
    words = [str(path), LEADER.hex(), value.hex()]
    subprocess.run([sys.executable, "-c", STORE, *words], check=True, timeout=60)


@pytest.fixture
def database(nas: Nas) -> Iterator[Path]:
    """Ours leads."""
    path = nas.lab.directory / "fsrvpd.tdb.0"
    write(path, OURS)
    nas.registry.lead(str(path), *OURS)
    yield path
    write(path, OURS)
    nas.registry.unexpose(list(nas.registry.shadow_shares()))
    path.unlink()


def test_the_leader_changes_the_registry(nas: Nas, database: Path) -> None:
    shadow = nas.shadow("data")
    nas.registry.barrier()
    nas.registry.expose([shadow])
    nas.registry.seal([shadow.name])
    assert shadow.name in nas.registry_names()
    nas.registry.unexpose([shadow.name])
    assert shadow.name not in nas.registry_names()


@pytest.mark.parametrize(
    "change",
    [
        lambda nas: nas.registry.barrier(),
        lambda nas: nas.registry.expose([nas.shadow("data", 2)]),
        lambda nas: nas.registry.seal([nas.shadow("data").name]),
        lambda nas: nas.registry.unexpose([nas.shadow("data").name]),
    ],
    ids=["barrier", "expose", "seal", "unexpose"],
)
def test_nobody_else_does(nas: Nas, database: Path, change: Callable[[Nas], None]) -> None:
    shadow = nas.shadow("data", read_only=False)
    nas.registry.expose([shadow])
    before = nas.samba.net("conf", "list").stdout
    write(database, THEIRS)
    with pytest.raises(RegistryError, match="the agent of node 2 leads the cluster now"):
        change(nas)
    assert nas.samba.net("conf", "list").stdout == before
    assert nas.samba.read(shadow.name, "file") == "in copy of data"
    write(database, OURS)
    change(nas)


def test_without_the_database_nobody_does(nas: Nas, database: Path) -> None:
    nas.registry.lead(f"{database}.not-there", *OURS)
    with pytest.raises(RegistryError, match="nobody knows who leads the cluster"):
        nas.registry.expose([nas.shadow("data")])
    nas.registry.lead(str(database), *OURS)
    assert nas.registry.shadow_shares() == {}
