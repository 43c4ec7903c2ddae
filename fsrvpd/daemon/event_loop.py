"""The event loop: epoll, timers, and callbacks from other threads, in asyncio's words.

This is not asyncio because asyncio's loop costs more than reading and writing a request
(docs/decisions). A callback that raises is logged and delays no other: whatever else is
ready, due or pending is called in the same turn.
"""

from __future__ import annotations

import heapq
import logging
import select
import signal
import socket
import time
from collections import deque
from typing import Callable, Optional

log = logging.getLogger("fsrvpd.loop")

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
CHANGED = select.EPOLLPRI | select.EPOLLONESHOT  # of files in /proc; `modify` waits for the next
MAX_EVENTS = 128  # a turn; the others are still ready in the next
MAX_SLEEP = 60.0  # s; a limit on what a lost wake-up could cost
MAX_CANCELLED = 100  # timers that may stay in the heap, or half of a larger one

FAILED = "a callback failed; please report this"

Callback = Callable[[], object]


class TimerHandle:
    """A callback that is due at `when`, in s of the loop's clock."""

    __slots__ = ("_callback", "_loop", "when")

    def __init__(self, when: float, callback: Callback, loop: EventLoop) -> None:
        self.when = when
        self._callback: Optional[Callback] = callback
        self._loop = loop

    def __lt__(self, other: TimerHandle) -> bool:
        return self.when < other.when

    def active(self) -> bool:
        """Whether it is still to be called."""
        return self._callback is not None

    def cancel(self) -> None:
        """Do not call it; without effect when it has been called."""
        if self._callback is not None:
            self._callback = None
            self._loop._timer_cancelled()

    def _run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class EventLoop:
    """One thread's event loop. Other threads may call `call_soon_threadsafe` and `stop` only.

    A turn calls the callbacks of ready descriptors, then timers that are due, then what was
    passed to `call_soon` until then, which so sees the work of the whole turn.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._pending: deque[Callback] = deque()
        self._from_threads: deque[Callback] = deque()
        self._timers: list[TimerHandle] = []  # a heap
        self._cancelled = 0  # of the timers
        self._running = True
        self._wakes_on_signals = False
        self._wakeup_r, self._wakeup_w = socket.socketpair()
        for end in (self._wakeup_r, self._wakeup_w):
            end.setblocking(False)
        self.register(self._wakeup_r.fileno(), READABLE, self._on_wakeup)

    time = staticmethod(time.monotonic)  # the loop's clock, in s

    def register(self, file: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback` with the events whenever the descriptor is ready for some of them."""
        self._callbacks[file] = callback
        self._epoll.register(file, events)

    def modify(self, file: int, events: int) -> None:
        self._epoll.modify(file, events)

    def unregister(self, file: int) -> None:
        """Forget a descriptor. Call this before closing it."""
        if self._callbacks.pop(file, None) is not None:
            self._epoll.unregister(file)

    def call_soon(self, callback: Callback) -> None:
        """Call `callback` at the end of this turn; at the end of the next one when called by a
        pending callback."""
        self._pending.append(callback)

    def call_soon_threadsafe(self, callback: Callback) -> None:
        """Wake the loop and call `callback` among those of ready descriptors; from any thread and
        from signal handlers."""
        self._from_threads.append(callback)
        self._wake()

    def call_at(self, when: float, callback: Callback) -> TimerHandle:
        """Call `callback` once, at this time of the loop's clock or soon after."""
        handle = TimerHandle(when, callback, self)
        heapq.heappush(self._timers, handle)
        return handle

    def call_later(self, delay: float, callback: Callback) -> TimerHandle:
        """Call `callback` once, after `delay` s."""
        return self.call_at(self.time() + delay, callback)

    def stop(self) -> None:
        """End `run_forever`, from any thread or signal handler."""
        self._running = False
        self._wake()

    def enable_signal_wakeup(self) -> None:
        """Let every signal end the wait; for the main thread's loop only. Without this, a signal
        that arrives just before the wait, or in another thread, is handled after the wait."""
        signal.set_wakeup_fd(self._wakeup_w.fileno(), warn_on_full_buffer=False)
        self._wakes_on_signals = True

    def run_forever(self) -> None:
        """Run until `stop`."""
        while self._running:
            self.run_once()

    def run_once(self, timeout: float = MAX_SLEEP) -> None:
        """One turn: wait for something to do, for `timeout` s at most, and do it."""
        for file, events in self._epoll.poll(self._sleep(timeout), MAX_EVENTS):
            callback = self._callbacks.get(file)
            if callback is not None:  # else an earlier callback has unregistered it
                try:
                    callback(events)
                except Exception:
                    log.exception(FAILED)
        if self._timers:
            self._run_timers()
        self._run(self._pending)

    def close(self) -> None:
        if self._wakes_on_signals:
            signal.set_wakeup_fd(-1)
        self._epoll.close()
        self._wakeup_r.close()
        self._wakeup_w.close()

    def _sleep(self, timeout: float) -> float:
        """For how long to wait for descriptors, in s."""
        if self._pending:
            return 0.0
        timers = self._timers
        while timers and not timers[0].active():
            heapq.heappop(timers)
            self._cancelled -= 1
        return max(min(timeout, timers[0].when - self.time()), 0.0) if timers else timeout

    def _run_timers(self) -> None:
        """Call the timers that are due: no more than there are, since each may arm another."""
        timers, now = self._timers, self.time()
        for _ in range(len(timers)):
            if not timers or timers[0].when > now:
                return
            handle = heapq.heappop(timers)
            if handle.active():
                try:
                    handle._run()
                except Exception:
                    log.exception(FAILED)
            else:
                self._cancelled -= 1

    def _timer_cancelled(self) -> None:
        """Cancelled timers stay in the heap until they are due, unless there are too many."""
        self._cancelled += 1
        if self._cancelled > max(MAX_CANCELLED, len(self._timers) // 2):
            self._timers[:] = [handle for handle in self._timers if handle.active()]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def _wake(self) -> None:
        try:
            self._wakeup_w.send(b"!")
        except OSError:
            return  # full: the loop wakes up anyway. Closed: the loop has ended

    def _on_wakeup(self, events: int) -> None:
        """What threads have found is passed on in this turn, not in one more."""
        self._wakeup_r.recv(4096)
        self._run(self._from_threads)

    def _run(self, callbacks: deque[Callback]) -> None:
        """Those that there are, not what they add."""
        for _ in range(len(callbacks)):
            try:
                callbacks.popleft()()
            except Exception:
                log.exception(FAILED)
