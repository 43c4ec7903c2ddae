"""The keeper, as a process, and the client's end of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers import keeper as keeper_process
from fsrvpd.requestor.writers import keeping
from fsrvpd.requestor.writers.keeping import KeeperProcess
from fsrvpd.requestor.writers.ports import Keeper, ThawRecipe
from lab.namespaces import wait_until

FOR_EVER = 600.0
CLIENT = """
import sys
from pathlib import Path
from fsrvpd.requestor.state.frozen import FrozenFiles
from fsrvpd.requestor.writers.keeping import KeeperProcess
from fsrvpd.requestor.writers.ports import ThawRecipe
keeper = KeeperProcess(FrozenFiles(Path(sys.argv[1])))
values = {"commands": [["touch", sys.argv[2]]], "timeout": 5.0}
keeper.start([ThawRecipe("command", "db", values)])
keeper.freezing(600.0)
print("frozen", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> FrozenFiles:
    return FrozenFiles(tmp_path / "state")


@pytest.fixture
def keeper(store: FrozenFiles) -> Iterator[KeeperProcess]:
    made = KeeperProcess(store, "nightly")
    as_keeper: Keeper = made
    yield made
    as_keeper.close()


@pytest.fixture
def thawed(tmp_path: Path) -> Path:
    """A file that a thaw command makes, which may run once only."""
    return tmp_path / "thawed"


def recipe(thawed: Path, writer: str = "db") -> ThawRecipe:
    return ThawRecipe("command", writer, values(thawed))


def values(thawed: Path, timeout: float = 5.0) -> dict[str, Any]:
    return {"commands": [["mkdir", str(thawed)]], "timeout": timeout, "mark": ""}


def is_free(store: FrozenFiles) -> bool:
    """Whether neither client nor keeper holds the lock."""
    return not (store.directory / "locks").exists() or os.listdir(store.directory / "locks") == []


def test_a_client_that_thaws(keeper: KeeperProcess, store: FrozenFiles, thawed: Path) -> None:
    keeper.start([recipe(thawed)])
    assert store.records() == []
    keeper.freezing(FOR_EVER)
    [record] = store.records()
    assert (record.writer, record.kind, record.job) == ("db", "command", "nightly")
    assert record.pid == os.getpid()
    assert not store.lock(record.client).acquire()
    keeper.thawed()
    assert store.records() == []
    assert is_free(store)
    assert not thawed.exists()


def test_nothing_was_frozen(keeper: KeeperProcess, store: FrozenFiles, thawed: Path) -> None:
    keeper.start([recipe(thawed)])
    keeper.close()
    keeper.close()
    assert is_free(store)
    assert not thawed.exists()


def test_a_client_that_ends_without_a_word(
    keeper: KeeperProcess, store: FrozenFiles, thawed: Path
) -> None:
    keeper.start([recipe(thawed)])
    keeper.freezing(FOR_EVER)
    keeper.close()
    assert thawed.exists()
    assert store.records() == []
    assert is_free(store)


def test_a_client_that_is_killed(store: FrozenFiles, thawed: Path) -> None:
    argv = [sys.executable, "-c", CLIENT, str(store.directory), str(thawed)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"frozen\n"
        client.kill()
    wait_until("the keeper has thawed", thawed.exists)
    wait_until("the keeper has removed the record", lambda: store.records() == [])


def test_at_the_deadline_and_a_command_only_once(
    keeper: KeeperProcess, store: FrozenFiles, thawed: Path
) -> None:
    keeper.start([ThawRecipe("command", "db", values(thawed, timeout=0.5))])
    keeper.freezing(0.05)
    wait_until("the keeper has thawed", thawed.exists)
    assert len(store.records()) == 1  # its client may still freeze something
    keeper.close()  # a second mkdir would have failed, and left a record
    assert store.records() == []


def test_a_command_that_its_client_may_be_running_is_left_to_it(
    keeper: KeeperProcess, store: FrozenFiles, thawed: Path
) -> None:
    """At the deadline, a little after the end of the window, when the client itself thaws."""
    quick = thawed.with_name("quick")
    recipes = [
        ThawRecipe("command", "slow", values(thawed, timeout=FOR_EVER)),
        ThawRecipe("command", "quick", values(quick, timeout=0.5)),
    ]
    keeper.start(recipes)
    keeper.freezing(0.0)
    wait_until("the deadline is over", quick.exists)
    keeper.thawed()
    assert not thawed.exists()
    assert store.records() == []


def test_what_is_repeated(keeper: KeeperProcess, store: FrozenFiles, tmp_path: Path) -> None:
    """A guest that is off is thawed; the keeper asks again, and ends with its client."""
    values = {"socket": str(tmp_path / "missing")}
    keeper.start([ThawRecipe("guest-agent", "vm", values)])
    keeper.freezing(0.0)
    keeper.close()
    assert store.records() == []


def test_a_keeper_that_is_dead_lets_nothing_be_frozen(
    keeper: KeeperProcess, store: FrozenFiles, thawed: Path
) -> None:
    keeper.start([recipe(thawed)])
    assert keeper._process is not None
    keeper._process.kill()
    keeper._process.wait()
    with pytest.raises(RequestorError, match=r"does not answer.*nothing was frozen"):
        keeper.freezing(FOR_EVER)
    assert store.records() == []
    keeper.close()
    store.tidy()
    with pytest.raises(RequestorError, match="does not run"):
        keeper.freezing(FOR_EVER)


def test_a_kind_that_nobody_knows(keeper: KeeperProcess, store: FrozenFiles) -> None:
    with pytest.raises(RequestorError, match="does not answer"):
        keeper.start([ThawRecipe("oracle", "db", {})])
    assert store.records() == []


def test_a_python_that_cannot_be_run(
    keeper: KeeperProcess, store: FrozenFiles, thawed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.sys, "executable", "/missing")
    with pytest.raises(RequestorError, match="/missing cannot be run"):
        keeper.start([recipe(thawed)])
    assert is_free(store)


def test_connections_are_inherited_and_not_recorded(
    keeper: KeeperProcess, store: FrozenFiles, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    try:
        values = {"socket": str(tmp_path / "missing"), "connection": writing}
        keeper.start([ThawRecipe("guest-agent", "vm", values)])
        keeper.freezing(FOR_EVER)
        assert keeper._process is not None
        assert os.path.exists(f"/proc/{keeper._process.pid}/fd/{writing}")
        assert store.records()[0].values == {"socket": str(tmp_path / "missing")}
        keeper.thawed()
    finally:
        os.close(reading)
        os.close(writing)


def test_what_is_not_yet_thawed_stays_recorded(tmp_path: Path, thawed: Path) -> None:
    """Its client ends while others are thawed at the deadline, and then the keeper is killed."""
    record = tmp_path / "record"
    record.touch()
    watching = keeper_process.Keeper([recipe(thawed)], [str(record)])
    watching._is_over.set()
    watching._thaw("it was frozen for too long", [])
    assert record.exists()
    watching._thaw("its client has ended", [recipe(thawed)])
    assert thawed.exists()
    assert not record.exists()
