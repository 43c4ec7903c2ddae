"""Asynchronous share lookups.

A lookup may wait for Samba's registry and for storage that hangs, even when the location is
remembered and only has to be checked, so it runs in a thread. Callers that look up the same
share at the same time share one lookup, and neither the registry nor one file system can hold
more than a few threads.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Callable, NamedTuple, Protocol, Union

from fsrvpd.daemon.event_loop import CHANGED, EventLoop, TimerHandle
from fsrvpd.daemon.storage_limit import StorageLimit
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError, PeerError
from fsrvpd.protocol.actions import DEFAULT_CALL_TIMEOUT
from fsrvpd.protocol.hresult import HResult, hresult_of
from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.shares.resolver import ShareResolver
from fsrvpd.shares.volumes import ShareSupport, Volumes

log = logging.getLogger("fsrvpd.shares")

THREADS = 256
THREADS_AT_START = 4
MOST_OF_CALLER = 32  # lookups that run at the same time
LONGEST = 1.0  # s after which a lookup that still runs no longer counts: its storage hangs
MOST_OF_STORAGE = 4  # threads that one file system, or the registry, may hold
EXPLANATION_TIMEOUT = 10.0  # s; `fsrvpctl doctor` asks about one share after the other
REGISTRY = "Samba's registry"
ADMIN = "an administrator of this server"
SETTLED = 0.01  # s after a change of the mount table: the job that made it goes on first

Location = Union[ShareLocation, PeerError]
Explained = Union[ShareSupport, FsrvpdError]


class Mounts(Protocol):
    """The part of `LiveMounts` that is needed here."""

    def fileno(self) -> int: ...

    def generation(self) -> int: ...


class _Waiter(NamedTuple):
    done: Callable[[Any], None]
    timer: TimerHandle


class _Lookup(NamedTuple):
    key: str  # what is looked up, in words: the same for callers that can share the result
    name: Callable[[], str]  # of the share
    search: Callable[[Share], Any]  # in the file system


class ShareLookups:
    """Belongs to the event loop's thread, in which it also calls back. `timeout`: s after which
    a caller gets an error. Raises: FsrvpdError when no thread can be started."""

    def __init__(
        self,
        loop: EventLoop,
        resolver: ShareResolver,
        volumes: Volumes,
        timeout: float = DEFAULT_CALL_TIMEOUT,
    ) -> None:
        self._loop = loop
        self._resolver = resolver
        self._volumes = volumes
        self._timeout = timeout
        self._waiters: dict[str, list[_Waiter]] = {}
        self._threads = WorkerThreads("lookup", THREADS, THREADS_AT_START)
        self._limit = StorageLimit(self._threads, MOST_OF_STORAGE)
        self._callers = CallerLimit(loop, MOST_OF_CALLER)

    def watch(self, mounts: Mounts) -> None:
        """Read the mount table again whenever it has changed, so that no lookup and no commit has
        to: fsrvpd's own mounts change it too, and a thousand of them take 5 ms to read."""

        def changed(events: int) -> None:
            self._loop.call_later(SETTLED, read)

        def read() -> None:
            self._loop.modify(mounts.fileno(), CHANGED)
            self._threads.submit(mounts.generation)

        self._loop.register(mounts.fileno(), CHANGED, changed)

    def find(self, unc: str, caller: str, done: Callable[[Location], None]) -> None:
        """Find where the share of a UNC name lies, or why it cannot be copied."""
        name = partial(self._resolver.name_of, unc)
        lookup = _Lookup(f"location of {unc}", name, self._volumes.locate)
        self._look_up(lookup, caller, done, self._timeout)

    def explain(self, name: str, done: Callable[[Explained], None]) -> None:
        """Find out everything about a share, given by name or UNC, without what is remembered."""
        is_unc = name.startswith("\\\\")
        share = partial(self._resolver.name_of, name) if is_unc else lambda: name
        lookup = _Lookup(f"explanation of {name}", share, self._volumes.explain)
        self._look_up(lookup, ADMIN, done, min(self._timeout, EXPLANATION_TIMEOUT))

    def close(self) -> None:
        self._threads.close()

    def _look_up(
        self, lookup: _Lookup, caller: str, done: Callable[[Any], None], timeout: float
    ) -> None:
        timer = self._loop.call_later(timeout, lambda: self._give_up(lookup.key, waiter, timeout))
        waiter = _Waiter(done, timer)
        if lookup.key in self._waiters:
            self._waiters[lookup.key].append(waiter)
            self._callers.hurry(lookup.key)
            return
        self._waiters[lookup.key] = [waiter]
        first_step = self._step(lookup, self._find_share)
        self._callers.run(lookup.key, caller, partial(self._threads.submit, first_step))

    def _give_up(self, key: str, waiter: _Waiter, timeout: float) -> None:
        """Call back with an error; the lookup continues, and later callers share it."""
        self._waiters[key].remove(waiter)
        why = f"{key}: not found within {timeout:g} s; its storage may be hung"
        waiter.done(PeerError(HResult.FSRVP_E_WAIT_TIMEOUT, why))

    def _deliver(self, key: str, found: Any) -> None:
        self._callers.end(key)
        for waiter in self._waiters.pop(key):
            waiter.timer.cancel()
            try:
                waiter.done(found)
            except Exception:  # the others are other clients'
                log.exception("%s: a caller failed; please report this", key)

    # The steps, in threads.

    def _step(
        self, lookup: _Lookup, step: Callable[..., None], *arguments: object
    ) -> Callable[[], None]:
        """A step of a lookup, which ends the lookup if it fails."""

        def take() -> None:
            try:
                step(lookup, *arguments)
            except FsrvpdError as error:
                self._end(lookup, PeerError(hresult_of(error), str(error)))
            except Exception as error:
                log.exception("%s: unexpected failure; please report this", lookup.key)
                why = f"{type(error).__name__}: {error}"
                self._end(lookup, PeerError(HResult.E_UNEXPECTED, why))

        return take

    def _find_share(self, lookup: _Lookup) -> None:
        name = lookup.name()
        share = self._resolver.known(name)
        if share is None:
            self._limit.run([REGISTRY], self._step(lookup, self._ask_samba, name))
        else:
            self._find_storage(lookup, share)

    def _ask_samba(self, lookup: _Lookup, name: str) -> None:
        """Then leave the place at the registry to the next lookup."""
        share = self._resolver.share(name)
        self._threads.submit(self._step(lookup, self._find_storage, share))

    def _find_storage(self, lookup: _Lookup, share: Share) -> None:
        storage = self._volumes.storage_of(share)
        self._limit.run([storage], self._step(lookup, self._search, share))

    def _search(self, lookup: _Lookup, share: Share) -> None:
        self._end(lookup, lookup.search(share))

    def _end(self, lookup: _Lookup, found: Any) -> None:
        self._loop.call_soon_threadsafe(partial(self._deliver, lookup.key, found))


class CallerLimit:
    """Lets at most `most` lookups of a caller run; his others wait, in order: whoever asks for
    thousands waits for his own, and nobody else does. Lookups have keys, which are unique. Belongs
    to the event loop's thread."""

    def __init__(self, loop: EventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._callers: dict[str, str] = {}  # by the key of each lookup that runs or waits
        self._running: dict[str, dict[str, float]] = {}  # by caller: when each was started
        self._waiting: dict[str, dict[str, Callable[[], None]]] = {}  # by caller
        self._timed: set[str] = set()  # callers with a timer

    def run(self, key: str, caller: str, start: Callable[[], None]) -> None:
        """Start a lookup, or let it wait."""
        self._callers[key] = caller
        if len(self._running.setdefault(caller, {})) < self._most:
            self._start(key, caller, start)
            return
        self._waiting.setdefault(caller, {})[key] = start
        self._start_timer(caller)

    def hurry(self, key: str) -> None:
        """Somebody else waits for the same lookup: start it, if that was not done."""
        caller = self._callers.get(key, "")
        start = self._waiting.get(caller, {}).pop(key, None)
        if start is not None:
            self._start(key, caller, start)

    def end(self, key: str) -> None:
        """A lookup has ended: the next one of its caller may start."""
        caller = self._callers.pop(key)
        running = self._running.get(caller, {})
        running.pop(key, None)
        self._start_waiting(caller)
        if not running and not self._waiting.get(caller):
            self._running.pop(caller, None)
            self._waiting.pop(caller, None)

    def _start(self, key: str, caller: str, start: Callable[[], None]) -> None:
        self._running[caller][key] = self._loop.time()
        start()

    def _start_timer(self, caller: str) -> None:
        if caller not in self._timed:
            self._timed.add(caller)
            self._loop.call_later(LONGEST, lambda: self._pass_over(caller))

    def _start_waiting(self, caller: str) -> None:
        waiting = self._waiting.get(caller, {})
        while waiting and len(self._running[caller]) < self._most:
            key = next(iter(waiting))
            self._start(key, caller, waiting.pop(key))

    def _pass_over(self, caller: str) -> None:
        """Lookups that hang keep no others of their caller waiting."""
        self._timed.discard(caller)
        if not self._waiting.get(caller):
            return
        running = self._running[caller]
        late = self._loop.time() - LONGEST
        for key in [key for key, started in running.items() if started <= late]:
            del running[key]
        self._start_waiting(caller)
        if self._waiting[caller]:
            self._start_timer(caller)
