"""Ctrl-C at any moment: the exception goes on, and `clean` finishes what it cut off."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.core import messages as m
from fsrvpd.requestor.ports import SetState
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.server_side import ServerSide
from fsrvpd.requestor.side_by_side import Task
from tests.unit.requestor.interrupts import interrupting
from tests.unit.requestor.world import SHARES, World

WAITS = 14  # of a creation and a deletion over two servers; then come those of undoing


def test_a_call_that_was_just_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls over one connection would be taken for one another."""
    world = World()
    committed, aborted = threading.Event(), threading.Event()
    overtaken = []
    commit, start = ServerSide.commit, Task.start

    def on_call(request: m.Request) -> None:
        if isinstance(request, m.CommitShadowCopySet):
            aborted.wait(0.3)  # in vain
        elif isinstance(request, m.AbortShadowCopySet):
            overtaken.append(not committed.is_set())
            aborted.set()

    def tell_its_end(side: ServerSide) -> None:
        try:
            commit(side)
        finally:
            committed.set()

    def interrupt(task: Task[object]) -> None:
        start(task)
        if world.store.history and world.store.history[-1].state is SetState.COMMITTED:
            monkeypatch.setattr(Task, "start", start)
            raise KeyboardInterrupt

    world.nas.on_call = on_call
    monkeypatch.setattr(ServerSide, "commit", tell_its_end)
    monkeypatch.setattr(Task, "start", interrupt)
    with pytest.raises(KeyboardInterrupt):
        world.requestor.create([SHARES[0]])
    assert overtaken == [False]
    world.assert_clean()


@given(st.integers(0, 2 * WAITS))
def test_nothing_is_left(number: int) -> None:
    world, before = World(), set(threading.enumerate())
    left = number
    wait = Task.wait

    def interrupted(task: Task[object], seconds: object = None) -> bool:
        nonlocal left
        if threading.current_thread() is threading.main_thread():
            left -= 1
            if left < 0:
                left = 10**6
                raise KeyboardInterrupt
        return wait(task, seconds)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "wait", interrupted)
        try:
            with world.requestor.create(SHARES):
                pass
        except KeyboardInterrupt:
            assert left > WAITS
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    for server in world.servers:
        server.open_connections = 0  # the process ends
    world.restart_host()
    world.requestor.clean()
    world.assert_clean()


@pytest.mark.parametrize("keep", [False, True])
def test_who_is_interrupted_before_the_set_is_theirs_has_none(keep: bool) -> None:
    """At each bytecode from the last answer of a server to the block of `with`."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    for number in itertools.count():
        world = World()
        with interrupting(number, interrupt, Requestor.create) as interrupted:
            try:
                created = world.requestor.create([SHARES[0]], job="nightly", keep=keep)
            except KeyboardInterrupt:
                created = None
        if not interrupted:
            break
        assert created is None, number
        world.restart_host()  # a lock may not be released before the end of the process
        world.assert_clean()
    assert number > 100
    assert created is not None
    created.delete()
    world.assert_clean()
