"""One storage that hangs holds a few threads, whatever is asked of it."""

from __future__ import annotations

import threading
from typing import Iterator

import pytest

from fsrvpd.daemon.storage_limit import COMBINATIONS, StorageLimit
from fsrvpd.daemon.worker_threads import WorkerThreads

MOST = 2


class World:
    """A pool of more threads than one storage may hold, and a storage that hangs."""

    def __init__(self, threads: int = MOST + 2) -> None:
        self.threads = WorkerThreads("test", threads)
        self.limit = StorageLimit(self.threads, MOST)
        self.go_on = threading.Event()
        self.done = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.running = self.most = 0

    def hang(self, *storages: str) -> None:
        self.threads.submit(lambda: self.limit.run(storages, self._wait))

    def use(self, *storages: str) -> None:
        self.threads.submit(lambda: self.limit.run(storages, self.done.release))

    def _wait(self) -> None:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.go_on.wait(20)
        with self.lock:
            self.running -= 1
        self.done.release()

    def is_done(self, number: int = 1, timeout: float = 20.0) -> bool:
        return all(self.done.acquire(timeout=timeout) for _ in range(number))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.go_on.set()
    made.threads.close()


def test_a_storage_that_hangs_leaves_the_others(world: World) -> None:
    for _ in range(256):
        world.hang("dead")
    world.use("live")
    assert world.is_done()
    assert world.running <= MOST


def test_when_it_answers_all_who_waited_get_their_turn(world: World) -> None:
    for _ in range(20):
        world.hang("dead")
    world.go_on.set()
    assert world.is_done(20)
    assert world.most <= MOST
    world.use("dead")
    assert world.is_done()


def test_what_is_used_with_a_storage_that_hangs_serves_others(world: World) -> None:
    """Such as Samba's registry, which jobs of all volumes need."""
    for _ in range(MOST + 1):
        world.hang("dead", "registry")
    world.use("live", "registry")
    world.use("registry")
    assert world.is_done(2)
    world.use("dead", "registry")
    assert not world.is_done(timeout=0.1)
    world.go_on.set()
    assert world.is_done(MOST + 2)


def test_a_storage_holds_no_more_in_many_combinations() -> None:
    world = World(3 * COMBINATIONS * MOST)
    for number in range(2 * COMBINATIONS):
        for _ in range(MOST):
            world.hang("dead", f"live {number}")
    world.use("live 0")
    assert world.is_done()
    world.go_on.set()
    assert world.is_done(2 * COMBINATIONS * MOST)
    assert world.most <= COMBINATIONS * MOST


def test_a_function_that_fails_gives_its_place_back(world: World) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    for _ in range(MOST + 1):
        world.threads.submit(lambda: world.limit.run(["one"], fail))
    world.use("one")
    assert world.is_done()
