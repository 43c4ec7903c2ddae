"""Where shares lie, found without letting anybody else wait.

What is remembered and still true is told at once. Whatever else there is to find out may
wait, for Samba's registry or for storage that hangs, so it happens in a thread: one for
each name, which all who ask for that name share.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Optional, Union

from fsrvpd.daemon.loop import Loop
from fsrvpd.daemon.shares import ShareFinder
from fsrvpd.errors import FsrvpdError, PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import PATIENCE
from fsrvpd.protocol.ports import SharePlace
from fsrvpd.volumes import Verdict

log = logging.getLogger("fsrvpd.shares")

WORKERS = 32  # a name whose storage hangs holds one of them

Place = Union[SharePlace, PeerError]
Explained = Union[Verdict, FsrvpdError]


class _Wait(NamedTuple):
    deadline: float
    done: Callable[[Any], None]


class Lookups:
    """Everything is called, and calls back, in the loop's thread."""

    def __init__(self, loop: Loop, finder: ShareFinder, patience: float = PATIENCE) -> None:
        self._loop = loop
        self._finder = finder
        self._patience = patience
        self._waits: dict[str, list[_Wait]] = {}
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="lookup")

    def find(self, unc: str, done: Callable[[Place], None]) -> None:
        """Where the share of a UNC name lies, or why it has no place."""
        place = self._finder.known(unc)
        if place is not None:
            done(place)
        else:
            self._search(f"place of {unc}", lambda: self._finder.place(unc), done)

    def explain(self, name: str, done: Callable[[Explained], None]) -> None:
        """Everything known of a share, asked anew."""
        self._search(f"explanation of {name}", lambda: self._explained(name), done)

    def deadline(self) -> Optional[float]:
        waits = (wait.deadline for waits in self._waits.values() for wait in waits)
        return min(waits, default=None)

    def expire(self) -> None:
        """Answer those who have waited too long; their search goes on."""
        now = time.monotonic()
        for sought, waits in self._waits.items():
            for wait in [wait for wait in waits if wait.deadline <= now]:
                waits.remove(wait)
                why = f"no {sought} in {self._patience:g} s: does its storage hang?"
                wait.done(PeerError(HResult.FSRVP_E_WAIT_TIMEOUT, why))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _search(self, sought: str, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        wait = _Wait(time.monotonic() + self._patience, done)
        self._loop.turn_by(wait.deadline)  # those who asked before may have been told already
        if sought in self._waits:
            self._waits[sought].append(wait)
            return
        self._waits[sought] = [wait]

        def search() -> None:
            found = _attempt(work, sought)
            self._loop.ring(lambda: self._found(sought, found))

        self._pool.submit(search)

    def _found(self, sought: str, found: Any) -> None:
        for wait in self._waits.pop(sought):
            wait.done(found)

    def _explained(self, name: str) -> Explained:
        try:
            return self._finder.explain(name)
        except FsrvpdError as error:
            return error


def _attempt(work: Callable[[], Any], sought: str) -> Any:
    try:
        return work()
    except Exception as error:
        log.exception("%s: unexpected failure; please report this", sought)
        return PeerError(HResult.E_UNEXPECTED, f"{type(error).__name__}: {error}")
