"""SIGHUP, SIGINT and SIGTERM while a set exists or is being made.

One that arrives while a set is made interrupts that, and the set is undone. While COMMAND runs it
is passed on. At any other time it is noted, so that nothing that tidies up is cut off.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from types import FrameType, TracebackType
from typing import Callable, Iterator, List, Optional, Type

from fsrvpd.requestor.ctl.exit_status import of_signal

STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_SI_KERNEL = 0x80  # from a terminal, which sends to the whole foreground group
# s: a signal that the kernel gives to another thread, which may not have blocked it, does not end
# the main thread's wait.
_LONGEST_WAIT = 1.0


class Interrupted(BaseException):
    """A signal arrived. No error, as KeyboardInterrupt is none: whoever gives an error another
    text, or goes on without what failed, must not do so with this."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number
        self.exit_status = of_signal(number)


class Signals:
    """Use it in the main thread, as a context manager. `received` is the first signal."""

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._not_passed: List[int] = []
        self._raises = False
        # One that is ignored stays so, as nohup wants it.
        self._stopping = {
            number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN
        }

    def __enter__(self) -> Signals:
        self._handlers = {number: signal.signal(number, self._note) for number in self._stopping}
        # Whoever ignores it does not learn how COMMAND has ended.
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises: Interrupted if a signal has arrived."""
        if self.received is not None:
            raise Interrupted(self.received)

    def forget_interrupts(self) -> None:
        """SIGINT has ended what somebody at a terminal waited for, and nothing else."""
        self._not_passed = [number for number in self._not_passed if number != signal.SIGINT]
        self.received = self._not_passed[0] if self._not_passed else None

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """The first signal interrupts the block wherever it is. Raises: Interrupted."""
        self._raises = True
        try:
            self.check()
            yield
        finally:
            self._raises = False

    def interrupt_no_more(self) -> None:
        """In the block of `interrupting`: a signal is noted only, from now on."""
        self._raises = False

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> int:
        """What the process returns that `start` starts; signals are passed to it.
        Raises: OSError, Interrupted if it was not started."""
        self.check()
        waited = {*self._stopping, signal.SIGCHLD}
        process = start()  # before the signals are blocked: it would inherit that
        before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        try:
            while process.poll() is None:
                while self._not_passed:
                    process.send_signal(self._not_passed.pop(0))
                    process.send_signal(signal.SIGCONT)  # one that is stopped takes no other
                arrived = signal.sigtimedwait(waited, _LONGEST_WAIT)
                if arrived is not None and arrived.si_signo != signal.SIGCHLD:
                    self._arrived(process, arrived)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process.returncode

    def _arrived(self, process: subprocess.Popen[bytes], arrived: signal.struct_siginfo) -> None:
        self._note(arrived.si_signo, None)
        if _has_it_from_the_terminal(process, arrived):
            self._not_passed.clear()

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self._not_passed.append(number)
        if self.received is None:
            self.received = number
            if self._raises:
                self._raises = False
                raise Interrupted(number)


def _has_it_from_the_terminal(
    process: subprocess.Popen[bytes], arrived: signal.struct_siginfo
) -> bool:
    """Many programs end at once, without tidying up, when they get a signal twice."""
    if arrived.si_code != _SI_KERNEL:
        return False
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(process.pid) == os.getpgrp()
    return True
