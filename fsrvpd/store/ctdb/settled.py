"""Reading a node's copy when it is settled: no recovery is about to replace it."""

from __future__ import annotations

from typing import Callable, Mapping, Optional

from fsrvpd.errors import StoreBusy, StoreError
from fsrvpd.protocol.cluster import ClusterDatabase, Record, Timers

POLL = 0.05  # s, while a recovery goes on


class SettledRead:
    """Waits for the end of a recovery, then reads everything. Calls `found` or `failed` once,
    unless it is cancelled before."""

    def __init__(
        self,
        database: ClusterDatabase,
        timers: Timers,
        found: Callable[[Mapping[bytes, Record]], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        self._database = database
        self._timers = timers
        self._found = found
        self._failed: Optional[Callable[[StoreError], None]] = failed
        self._ask()

    def cancel(self, reason: StoreError) -> None:
        """Calls `failed`, unless it is over."""
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(reason)

    def _ask(self) -> None:
        if self._failed is None:
            return
        try:
            self._database.ask_recovering(self._answered)
        except StoreError as error:
            self.cancel(error)

    def _answered(self, is_recovering: bool) -> None:
        if self._failed is None:
            return
        try:
            if is_recovering:
                raise StoreBusy
            records = self._database.read_all()
        except StoreBusy:
            self._timers.call_later(POLL, self._ask)
        except StoreError as error:
            self.cancel(error)
        else:
            self._failed = None
            self._found(records)
