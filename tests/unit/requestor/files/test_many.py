"""Worker processes: order, failures on their way back, the end of a worker and of the program."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.requestor.errors import Disconnected
from fsrvpd.requestor.files import many
from fsrvpd.requestor.files.many import Workers
from fsrvpd.requestor.files.records import FileFailure
from lab.namespaces import wait_until
from tests.unit.requestor.files.test_small import FILES, server

WANTED = {name: len(data) for name, data in FILES.items()}


def connect() -> Any:
    """In the worker."""
    return server({**FILES, "process": b"%8d" % os.getpid()}).session()


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_several_workers_keep_the_order() -> None:
    wanted = [*WANTED.items()] * 5
    with Workers(connect, "data", count=3) as workers:
        found = list(workers.small_files(wanted))
        assert [each.path for each in found] == [path for path, _ in wanted]
        assert all(each.data == FILES[each.path] for each in found)
        again = list(workers.small_files([("d\\1", 1), ("gone", 1)]))
    assert [each.failure and each.failure.errno for each in again] == [None, errno.ENOENT]


def test_more_than_one_process_reads() -> None:
    with Workers(connect, "data", count=2) as workers:
        found = {each.data for each in workers.small_files([("process", 8)] * 500)}
        pids = [int(data) for data in found]
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(map(is_alive, pids))


def test_nothing_is_connected_before_there_is_a_file() -> None:
    def never() -> Any:
        raise Disconnected("nas", "it was contacted", "")

    with Workers(never, "data", count=2) as workers:
        assert list(workers.small_files([])) == []
        with pytest.raises(FileFailure, match="it was contacted"):
            list(workers.small_files([("a", 1)]))


def test_files_are_taken_as_they_are_needed() -> None:
    endless = itertools.cycle(WANTED.items())
    with Workers(connect, "data", count=2) as workers:
        found = list(itertools.islice(workers.small_files(endless), 10))
    assert len(found) == 10


def test_a_worker_holds_nothing_that_the_program_has_open() -> None:
    reader, writer = os.pipe()
    with Workers(connect, "data", count=1) as workers:
        list(workers.small_files([("a", 1)]))  # it has begun
        os.close(writer)
        assert os.read(reader, 1) == b""
    os.close(reader)


def test_workers_end_with_the_program(tmp_path: Path) -> None:
    """Which is killed while one waits for a server that does not answer."""
    file = tmp_path / "pid"
    program = os.fork()
    if not program:
        many._END = 0.1
        _read_for_ever(file)
    wait_until("a worker waits", lambda: file.exists() and file.read_text() != "")
    os.kill(program, signal.SIGKILL)
    os.waitpid(program, 0)
    wait_until("the worker ends", lambda: not is_alive(int(file.read_text())))


def _read_for_ever(file: Path) -> None:
    def hang() -> Any:
        file.write_text(str(os.getpid()))
        threading.Event().wait()

    with Workers(hang, "data", count=1) as workers:
        list(workers.small_files([("a", 1)]))
    os._exit(1)


def test_a_worker_that_is_killed_is_told() -> None:
    with Workers(connect, "data", count=1) as workers:
        [found] = workers.small_files([("process", 8)])
        os.kill(int(found.data), signal.SIGKILL)
        with pytest.raises(FileFailure, match="has ended"):
            list(workers.small_files([("process", 8)]))


def test_long_paths_block_nobody() -> None:
    wanted = [("x" * 8000 + str(number), 1) for number in range(400)]
    with Workers(connect, "data", count=1) as workers:
        found = list(workers.small_files(wanted))
    assert [each.path for each in found] == [path for path, _ in wanted]
