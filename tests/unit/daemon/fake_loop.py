"""An event loop with a clock that the test controls, so that no test waits."""

from __future__ import annotations

from fsrvpd.daemon.event_loop import EventLoop


class FakeLoop(EventLoop):
    """`advance` moves the clock and runs the timers that are due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.run_once(0.0)
