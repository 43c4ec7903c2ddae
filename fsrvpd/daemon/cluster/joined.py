"""Brings the mounts of agents that have come to the state that they are to have."""

from __future__ import annotations

import logging
from functools import partial
from typing import Callable, Sequence

from fsrvpd.cluster.members import Here
from fsrvpd.cluster.mounts import Action, MountOrder
from fsrvpd.daemon.cluster.exports import ExportsEverywhere, as_elsewhere
from fsrvpd.daemon.cluster.orders import Failures, MountOrders
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log.events import report
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.protocol.exports import Export

log = logging.getLogger("fsrvpd.cluster")

RETRY = 10.0  # s


class JoinedAgents:
    """Of the leader; belongs to the loop's thread. `wanted` are the exports of all exposed sets."""

    def __init__(
        self,
        loop: EventLoop,
        orders: MountOrders,
        exports: ExportsEverywhere,
        wanted: Callable[[], Sequence[Export]],
    ) -> None:
        """Raises: FsrvpdError."""
        self._loop = loop
        self._orders = orders
        self._exports = exports
        self._wanted = wanted
        self._known: set[str] = set()  # nonces
        self._thread = WorkerThreads("mounts of others", 1)

    def close(self) -> None:
        self._thread.close()

    def look(self, others: Sequence[Here]) -> None:
        """Tell those that were not there at the last look. One that was away may have missed
        something."""
        new = [here for here in others if here.nonce not in self._known]
        self._known = {here.nonce for here in others}
        if not new:
            return
        exports = tuple(map(as_elsewhere, self._wanted()))
        for export in exports:
            self._orders.ask(MountOrder(Action.MAKE, (export,)), partial(self._done, export), new)
        self._thread.submit(partial(self._exports.keep_elsewhere, new, self._removed))

    def _done(self, export: Export, failures: Failures) -> None:
        self._report(f"{export.mount_point} is not mounted", failures)

    def _removed(self, failures: Failures) -> None:
        self._report("mounts of copies that are no more are left", failures)

    def _report(self, what: str, failures: Failures) -> None:
        for node, why in failures.items():
            report(log, "mounts-differ", f"node {node}: {what}: {why}")
        if failures:
            self._loop.call_later(RETRY, self._known.clear)
