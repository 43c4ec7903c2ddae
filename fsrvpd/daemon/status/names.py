"""Which shares exist, without waiting for Samba's registry, which may be locked."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import Optional, Protocol, Sequence

from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.ports import Share
from fsrvpd.protocol.unc import normal_share

log = logging.getLogger("fsrvpd.status")

INTERVAL = 300.0  # s between two questions; with 10,000 shares one takes some milliseconds


class Registry(Protocol):
    def shares(self) -> Sequence[Share]: ...


class ShareNames:
    """Thread-safe. Raises: FsrvpdError when no thread can be started."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._thread = WorkerThreads("share names", most=1)
        self._lock = Lock()  # guards the two below
        self._names: Optional[frozenset[str]] = None
        self._asked_at = 0.0

    def current(self) -> Optional[frozenset[str]]:
        """The names of all shares as `normal_share` gives them, some minutes old at most where
        Samba answers; None when it has not answered yet."""
        with self._lock:
            if not self._asked_at or time.monotonic() - self._asked_at > INTERVAL:
                self._asked_at = time.monotonic()
                self._thread.submit(self._ask)
            return self._names

    def close(self) -> None:
        self._thread.close()

    def _ask(self) -> None:
        try:
            names = frozenset(normal_share(share.name) for share in self._registry.shares())
        except FsrvpdError as error:
            log.debug("the names of shares are not known: %s", error)
            return
        with self._lock:
            self._names = names
