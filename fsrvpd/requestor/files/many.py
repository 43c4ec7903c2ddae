"""`Workers`: processes that read small files, each over a session of its own.

What takes the time of a small file is this program, not the line. The processes are forked, since
they need what logs in, and so before the caller has sessions or threads: a thread is missing in a
child, and two processes on one session are none's.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import select
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Deque, Iterable, Iterator, List, Optional, Sequence

from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.files.link import Connect
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.files.small import SmallFile, Wanted, small_files
from fsrvpd.requestor.files.tree import GIVE_UP, FileTree

MOST_WORKERS = 4
_PROCESSORS_EACH = 2  # a worker and what it keeps busy, if the server is this host, or what writes
_BATCH = 64  # files
# Characters of their paths. A batch fits into a pipe: a worker that has much to tell does not read,
# and who writes to it would wait for ever.
_BATCH_SIZE = 16384
_BATCHES_AHEAD = 2  # of one worker
_END = 5.0  # seconds
_STANDARD = 2  # and below: the descriptors of every process


class Workers(Closing):
    """Started at once. One thread uses it."""

    def __init__(
        self,
        connect: Connect,
        share: str,
        prefix: str = "",
        *,
        count: Optional[int] = None,
        give_up: float = GIVE_UP,
    ) -> None:
        """`connect` is called in each worker, once there are files to read."""
        fork = multiprocessing.get_context("fork")
        self._pipes: List[Connection] = []
        self._processes: List[Any] = []
        for _ in range(count or _how_many()):
            ours, theirs = fork.Pipe()
            tree = FileTree(connect, share, prefix, give_up=give_up)
            process = fork.Process(target=_work, args=(tree, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def small_files(
        self, files: Iterable[Wanted], *, with_metadata: bool = False
    ) -> Iterator[SmallFile]:
        """As `small.small_files`. Take all of them before the next call. Raises: FileFailure."""
        batches = _batches(iter(files))
        asked: Deque[Connection] = deque()
        nexts = itertools.cycle(self._pipes)
        for batch in itertools.islice(batches, _BATCHES_AHEAD * len(self._pipes)):
            asked.append(self._ask(next(nexts), batch, with_metadata))
        while asked:
            pipe = asked.popleft()
            found = self._answer(pipe)
            batch = next(batches, [])
            if batch:
                asked.append(self._ask(pipe, batch, with_metadata))
            yield from found

    def close(self) -> None:
        """Raises nothing; may be called twice."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(_END)
            if process.is_alive():
                process.kill()
                process.join()

    def _ask(self, pipe: Connection, batch: Sequence[Wanted], with_metadata: bool) -> Connection:
        try:
            pipe.send((batch, with_metadata))
        except OSError as error:
            raise _ended() from error
        return pipe

    def _answer(self, pipe: Connection) -> List[SmallFile]:
        try:
            answer = pipe.recv()
        except (OSError, EOFError) as error:
            raise _ended() from error
        if isinstance(answer, FileFailure):
            raise answer
        found: List[SmallFile] = answer
        return found


def _how_many() -> int:
    return max(1, min(MOST_WORKERS, (os.cpu_count() or 1) // _PROCESSORS_EACH))


def _batches(files: Iterator[Wanted]) -> Iterator[List[Wanted]]:
    batch: List[Wanted] = []
    size = 0
    for path, length in files:
        batch.append((path, length))
        size += len(path)
        if len(batch) >= _BATCH or size >= _BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _ended() -> FileFailure:
    return FileFailure("worker", "a process that reads small files has ended", "see dmesg")


def _work(tree: FileTree, pipe: Connection) -> None:
    """Until the pipe's other end is closed, also by the end of the program."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the program decides
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _close_others(pipe.fileno())
    threading.Thread(target=_end_with, args=(pipe.fileno(),), daemon=True).start()
    try:
        while True:
            batch, with_metadata = pipe.recv()
            try:
                pipe.send(list(small_files(tree, batch, with_metadata=with_metadata)))
            except FileFailure as failure:
                pipe.send(failure)
    except (EOFError, OSError):
        tree.close()


def _close_others(kept: int) -> None:
    """What the program has open, such as pipes of other workers and locks, is not a worker's: it
    would hold them after the program."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > _STANDARD and number != kept:
            with suppress(OSError):
                os.close(number)


def _end_with(pipe: int) -> None:
    """End this process soon after the program, also while a server does not answer."""
    poll = select.poll()
    poll.register(pipe, 0)  # only for what is always reported: that the other end is closed
    poll.poll()
    time.sleep(_END)
    os._exit(1)
