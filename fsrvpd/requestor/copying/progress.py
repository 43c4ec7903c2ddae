"""A progress bar at a terminal: how much of all, how fast, and how long it will take."""

from __future__ import annotations

import time
from typing import Callable, Optional, TextIO

from fsrvpd.requestor.copying.totals import Totals

WIDTH = 24  # characters of the bar
_EVERY = 0.25  # seconds
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE, _HOUR = 60, 3600
_CLEAR = "\r\x1b[K"


class Progress:
    """Draws on `stream` when it is told to, and not more often than the eye sees. It has numbers
    of ours only, and so goes around what escapes names of servers."""

    def __init__(
        self, stream: TextIO, totals: Totals, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._totals, self._clock = stream, totals, clock
        self._began = clock()
        self._drawn: Optional[float] = None
        self.expected: Optional[int] = None  # bytes in all, once that is known

    def moved(self) -> None:
        now = self._clock()
        if self._drawn is None or now - self._drawn >= _EVERY:
            self._drawn = now
            self._print(_CLEAR + self.line(now - self._began))

    def clear(self) -> None:
        """Before something else is printed, and at the end."""
        if self._drawn is not None:
            self._drawn = None
            self._print(_CLEAR)

    def line(self, seconds: float) -> str:
        totals = self._totals
        rate = f"{amount(totals.copied_bytes / max(seconds, 0.001))}/s"
        if not self.expected:
            return f"{amount(totals.bytes)}  {totals.files} files  {rate}"
        share = min(1.0, totals.bytes / self.expected)
        full = round(share * WIDTH)
        bar = "#" * full + "-" * (WIDTH - full)
        shown = f"[{bar}] {share:4.0%} of {amount(self.expected)}  {rate}"
        return f"{shown}  {duration(seconds / share * (1 - share))} left" if share else shown

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            pass  # the terminal is gone, the copy is not


def amount(count: float) -> str:
    """Bytes, in three digits."""
    for unit in _UNITS[:-1]:
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.0f} {_UNITS[-1]}"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02}"
    return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
