"""What Samba's library logs is kept until the next response."""

from __future__ import annotations

from typing import Any, Callable, Optional

from samba_hooks.worker.samba_log import SambaLog


class Library:
    def __init__(self) -> None:
        self.debug: Optional[Callable[[int, str], None]] = None

    def on_debug(self, function: Callable[[int, str], None]) -> None:
        self.debug = function


def test_errors_and_warnings_are_kept_once() -> None:
    library: Any = Library()
    log = SambaLog(library)
    for level, line in ((0, "an error\n"), (1, " a warning"), (2, "a trace")):
        library.debug(level, line)
    assert log.drain() == [{"level": 0, "text": "an error"}, {"level": 1, "text": "a warning"}]
    assert log.drain() == []


def test_only_the_last_lines_are_kept() -> None:
    library: Any = Library()
    log = SambaLog(library)
    for number in range(1000):
        library.debug(0, str(number))
    kept = log.drain()
    assert len(kept) == 50
    assert kept[-1]["text"] == "999"
