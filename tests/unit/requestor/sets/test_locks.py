"""Locks of jobs and servers: taken in one order, waited for, and told."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Optional

import pytest

from fsrvpd.requestor.errors import RequestorError, ServerBusy
from fsrvpd.requestor.events import Event, ignore
from fsrvpd.requestor.sets.locks import (
    OTHER_RUN,
    lock_of_job,
    lock_of_set,
    take_job,
    take_servers,
)
from tests.unit.requestor.memory import MemoryStore


def test_servers_are_locked_once_each_under_any_spelling_and_in_one_order() -> None:
    store = MemoryStore()
    with ExitStack() as stack:
        take_servers(store, ["nas.example", "FS2", "NAS.example."], None, ignore, stack)
        assert list(store.locks) == ["server fs2", "server nas.example"]
    assert store.locks == {}


def test_if_one_server_is_taken_none_is_held() -> None:
    store, told = MemoryStore(), list[Event]()
    with ExitStack() as stack:
        take_servers(store, ["nas"], None, ignore, stack)
        with (
            pytest.raises(ServerBusy, match=f"process {os.getpid()}") as caught,
            ExitStack() as both,
        ):
            take_servers(store, ["fs2", "nas"], None, told.append, both)
        assert caught.value.object == "nas"
        assert list(store.locks) == ["server nas"]
    [event] = told
    assert event.name == "waiting"
    assert event.text.startswith("nas: another run on this host is creating a set there: process")


@pytest.mark.parametrize(("wait", "longest"), [(None, OTHER_RUN), (50.0, 50.0), (0.0, 0.0)])
def test_another_run_is_waited_for_as_long_as_the_caller_says(
    wait: Optional[float], longest: float
) -> None:
    store, told = MemoryStore(), list[Event]()
    with ExitStack() as first, ExitStack() as second:
        take_servers(store, ["nas"], None, ignore, first)
        with pytest.raises(ServerBusy, match="another run on this host"):
            take_servers(store, ["nas"], wait, told.append, second)
    assert [event.name for event in told] == ["waiting"] * (longest > 0)
    assert all(0 < event.fields["left"] <= longest for event in told)


def test_a_job_runs_once() -> None:
    store = MemoryStore()
    with lock_of_job(store, "nightly") as first, lock_of_job(store, "nightly") as second:
        take_job(first, "nightly", 0.0, ignore)
        with pytest.raises(RequestorError, match="runs already") as caught:
            take_job(second, "nightly", 0.0, ignore)
        assert caught.value.exit_status == 4
        with lock_of_job(store, "weekly") as other:
            take_job(other, "weekly", 0.0, ignore)
    with lock_of_job(store, "nightly") as again:
        take_job(again, "nightly", 0.0, ignore)


def test_who_waits_for_another_run_is_told() -> None:
    store, told = MemoryStore(), list[Event]()
    with lock_of_job(store, "nightly") as first, lock_of_job(store, "nightly") as second:
        take_job(first, "nightly", 60.0, told.append)
        assert told == []
        with pytest.raises(RequestorError, match="runs already"):
            take_job(second, "nightly", 60.0, told.append)
    [event] = told
    assert (event.name, event.fields) == ("waiting", {"left": 60.0})
    assert f"process {os.getpid()}" in event.text


def test_locks_of_sets_are_apart() -> None:
    store = MemoryStore()
    with lock_of_set(store, bytes(16)) as one, lock_of_set(store, bytes([1] * 16)) as two:
        assert one.acquire()
        assert two.acquire()
        assert not lock_of_set(store, bytes(16)).acquire()
