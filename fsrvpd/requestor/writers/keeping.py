"""`KeeperProcess`: the client's end of the keeper, and the records for `clean`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Optional, Sequence

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles, FrozenRecord, new_client
from fsrvpd.requestor.state.locks import Lock
from fsrvpd.requestor.writers import keeper
from fsrvpd.requestor.writers.ports import ThawRecipe

MODULE = "fsrvpd.requestor.writers.keeper"
_ANSWER = 15.0  # s, on a host that has much to do
_END = 5.0  # s
_CONNECTION = "connection"  # a value of a recipe: a descriptor, of no use to `clean`


class KeeperProcess:
    """A `Keeper`. It and this process hold the lock of the records: `clean` leaves them alone
    until both are dead."""

    def __init__(self, store: FrozenFiles, job: str = "") -> None:
        self._store = store
        self._job = job
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._lock: Optional[Lock] = None
        self._records: Sequence[FrozenRecord] = ()

    def start(self, recipes: Sequence[ThawRecipe]) -> None:
        """Raises: RequestorError."""
        client = new_client()
        self._lock = self._store.lock(client)
        self._lock.acquire()
        now = time.time()
        self._records = [
            FrozenRecord(
                client, recipe.kind, recipe.writer, _durable(recipe), self._job, now, os.getpid()
            )
            for recipe in recipes
        ]
        try:
            self._process = self._start(recipes)
            paths = [os.fspath(self._store.path(record)) for record in self._records]
            self._say({"recipes": recipes, "records": paths}, keeper.READY)
        except BaseException:
            self.close()
            raise

    def freezing(self, seconds: float) -> None:
        """Raises: RequestorError."""
        try:
            for record in self._records:
                self._store.write(record)
            self._say(time.monotonic() + seconds, keeper.WATCHING)
        except BaseException:
            self._forget()
            raise

    def thawed(self) -> None:
        self._forget()  # first: a keeper whose client is killed now thaws at once, `clean` later
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.write(keeper.THAWED)
                self._process.stdin.flush()
        self.close()

    def close(self) -> None:
        """Without `thawed` after `freezing`, it thaws now, and holds the lock until it has."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END)
        lock, self._lock = self._lock, None
        if lock is not None and (process is None or process.returncode == 0):
            lock.release()
        elif lock is not None:
            lock.leave()

    def _start(self, recipes: Sequence[ThawRecipe]) -> subprocess.Popen[bytes]:
        inherited = [recipe.values.get(_CONNECTION) for recipe in recipes]
        inherited += [self._lock.descriptor if self._lock else None]
        try:
            return subprocess.Popen(  # noqa: S603 (our own module, an argument vector)
                [sys.executable, "-I", "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[each for each in inherited if each is not None],
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            cause = f"{sys.executable} cannot be run: {error.strerror}"
            raise RequestorError("the keeper", cause, "nothing was frozen") from error

    def _say(self, what: object, answer: bytes) -> None:
        """Raises: RequestorError unless it answers so."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RequestorError("the keeper", "it does not run", "nothing was frozen")
        try:
            process.stdin.write(json.dumps(what).encode() + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], _ANSWER)
            said = process.stdout.readline() if ready else b""
        except OSError as error:
            said = str(error).encode()
        if said != answer:
            cause = f"the process that is to thaw does not answer: {said.decode(errors='replace')}"
            raise RequestorError("the keeper", cause, "nothing was frozen")

    def _forget(self) -> None:
        for record in self._records:
            with suppress(RequestorError):  # `clean` finds out that it is thawed
                self._store.forget(record)


def _durable(recipe: ThawRecipe) -> dict[str, object]:
    return {name: value for name, value in recipe.values.items() if name != _CONNECTION}
