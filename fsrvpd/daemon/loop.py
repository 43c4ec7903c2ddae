"""The event loop: epoll, deadlines, and a bell that other threads may ring.

Bare epoll, because a request costs little more than its reading and its writing; an
asyncio stream would cost several times that.
"""

from __future__ import annotations

import logging
import math
import os
import select
import signal
import time
from collections import deque
from typing import Callable

log = logging.getLogger("fsrvpd.loop")

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
HIGH_PRIORITY = select.EPOLLPRI  # how the kernel announces a changed mount table
MOST_EVENTS = 128  # of one turn; what is left is ready in the next
LONGEST_SLEEP = 60.0  # s; a bound on what a lost wake-up could cost


class Loop:
    """One thread's event loop. Only `ring` and `stop` may be called from elsewhere."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._rung: deque[Callable[[], None]] = deque()
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = True
        self._heeds_signals = False
        self._due = 0.0  # when `when_due` is called next, in seconds of the monotonic clock
        self.add(self._bell, READABLE, self._answer_bell)

    def add(self, file: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback` with the events whenever the descriptor is ready for them."""
        self._callbacks[file] = callback
        self._epoll.register(file, events)

    def change(self, file: int, events: int) -> None:
        self._epoll.modify(file, events)

    def remove(self, file: int) -> None:
        """Forget a descriptor; to be called before it is closed."""
        if self._callbacks.pop(file, None) is not None:
            self._epoll.unregister(file)

    def ring(self, callback: Callable[[], None]) -> None:
        """Have the loop's thread call `callback` soon."""
        self._rung.append(callback)
        self._pull()

    def stop(self) -> None:
        """End `run`; safe in signal handlers."""
        self._running = False
        self._pull()

    def heed_signals(self) -> None:
        """Let every signal end the wait, in the main thread only: one that comes just before
        the wait, or to another thread, would else be handled when the wait is over."""
        signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)
        self._heeds_signals = True

    def _pull(self) -> None:
        try:
            os.write(self._rope, b"!")
        except BlockingIOError:
            return  # full of rings: it will wake up anyway

    def turn_by(self, when: float) -> None:
        """Have `run` call its `when_due` at this monotonic time at the latest."""
        if when < self._due:
            self._due = when

    def run(self, after_each_turn: Callable[[], None], when_due: Callable[[], None]) -> None:
        """Run until `stop`. `when_due` is called at once, and again at the earliest time that
        `turn_by` has named since: it names one for everybody who waits."""
        self._due = 0.0
        while self._running:
            now = time.monotonic()
            if self._due <= now:
                self._due = math.inf
                when_due()
            self.turn(self._due - now)
            after_each_turn()

    def turn(self, patience: float) -> None:
        """Wait once, no longer than `patience` in seconds, and call what is ready."""
        patience = min(max(patience, 0.0), LONGEST_SLEEP)
        for file, events in self._epoll.poll(patience, MOST_EVENTS):
            callback = self._callbacks.get(file)
            if callback is None:
                continue  # an earlier callback of this turn has removed it
            try:
                callback(events)
            except Exception:  # one connection's failure is no reason to drop the others
                log.exception("a handler failed; please report this")

    def _answer_bell(self, events: int) -> None:
        os.read(self._bell, 4096)
        while self._rung:
            self._rung.popleft()()

    def close(self) -> None:
        if self._heeds_signals:
            signal.set_wakeup_fd(-1)
        self._epoll.close()
        os.close(self._bell)
        os.close(self._rope)
