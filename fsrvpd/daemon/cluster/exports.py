"""Mounts of copies on every node: the leader's own, and those that it has other nodes make."""

from __future__ import annotations

from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Callable, Sequence

from fsrvpd.cluster.members import Here
from fsrvpd.cluster.mounts import Action, MountOrder, read_order
from fsrvpd.cluster.wire import MountAnswer, MountRequest
from fsrvpd.daemon.cluster.orders import Failures, MountOrders
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.worker_threads import WorkerThreads
from fsrvpd.errors import FsrvpdError, StorageError
from fsrvpd.exports.mounts import Exports, OpenShare, ShareOf
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.ports import Snapshot

LONGEST = 20.0  # s that other nodes have; storage that does not answer takes as long as it likes
IN_USE = "in use"


class ExportsEverywhere(Exports):
    """`Exports` of the leader. What another node cannot do fails, as what this one cannot do."""

    def __init__(
        self, loop: EventLoop, orders: MountOrders, open_share: OpenShare, share_of: ShareOf
    ) -> None:
        super().__init__(open_share, share_of)
        self._loop = loop
        self._orders = orders
        self._order_lock = Lock()  # what is mounted here is ordered elsewhere in one order

    def make(self, export: Export, *, again: bool = False) -> None:
        super().make(export, again=again)
        action = Action.MAKE_AGAIN if again else Action.MAKE
        self._require(export.mount_point, MountOrder(action, (as_elsewhere(export),)))

    def end_writing(self, exports: Sequence[Export]) -> None:
        super().end_writing(exports)
        if exports:
            order = MountOrder(Action.END_WRITING, tuple(map(as_elsewhere, exports)))
            self._require(exports[0].mount_point, order)

    def remove(self, export: Export) -> None:
        super().remove(export)
        order = MountOrder(Action.REMOVE, (as_elsewhere(export),))
        self._require(export.mount_point, order)

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        super().remove_snapshot(snapshot)
        order = MountOrder(Action.REMOVE_SNAPSHOT, snapshots=(snapshot,))
        self._require(snapshot.root, order)

    def remove_unused(self, snapshot: Snapshot) -> bool:
        if not super().remove_unused(snapshot):
            return False
        failures = self._ask(MountOrder(Action.REMOVE_UNUSED, snapshots=(snapshot,)))
        if IN_USE in failures.values():
            return False
        _require_none(snapshot.root, failures)
        return True

    def remove_mount(self, mount_point: str) -> None:
        super().remove_mount(mount_point)
        order = MountOrder(Action.REMOVE_MOUNT, mount_points=(mount_point,))
        self._require(mount_point, order)

    def keep_elsewhere(self, agents: Sequence[Here], done: Callable[[Failures], None]) -> None:
        """Have other nodes remove what is not mounted here. Blocks; `done` is called in the loop's
        thread."""
        with self._order_lock:
            order = MountOrder(Action.KEEP, mount_points=tuple(self.mounted()))
            self._loop.call_soon_threadsafe(lambda: self._orders.ask(order, done, agents))

    def _require(self, object: str, order: MountOrder) -> None:
        _require_none(object, self._ask(order))

    def _ask(self, order: MountOrder) -> Failures:
        """Called in a worker's thread, which waits."""
        answers: SimpleQueue[Failures] = SimpleQueue()

        def ask() -> None:
            number = self._orders.ask(order, answers.put)
            self._loop.call_later(LONGEST, lambda: self._orders.give_up(number))

        with self._order_lock:
            self._loop.call_soon_threadsafe(ask)
        return answers.get()


class OrdersOfLeader:
    """Carries out a leader's orders on this node, one after the other."""

    def __init__(
        self,
        loop: EventLoop,
        exports: Exports,
        node: Callable[[], int],
        send: Callable[[int, MountAnswer], None],
    ) -> None:
        """Raises: FsrvpdError."""
        self._loop = loop
        self._exports = exports
        self._node = node
        self._send = send
        self._thread = WorkerThreads("mounts", 1)

    def close(self) -> None:
        self._thread.close()

    def take(self, request: MountRequest) -> None:
        self._thread.submit(partial(self._work, request))

    def _work(self, request: MountRequest) -> None:
        try:
            failure = carry_out(self._exports, read_order(request.order))
        except FsrvpdError as error:
            failure = str(error)

        def answer() -> None:
            self._send(request.leader, MountAnswer(self._node(), request.request, failure))

        self._loop.call_soon_threadsafe(answer)


def carry_out(exports: Exports, order: MountOrder) -> str:
    """Returns why something was not done, "" when everything was. Raises: FsrvpdError."""
    action = order.action
    if action is Action.END_WRITING:
        exports.end_writing(order.exports)
    elif action is Action.KEEP:
        for mounted in set(exports.mounted()).difference(order.mount_points):
            exports.remove_mount(mounted)
    for export in order.exports:
        if action in (Action.MAKE, Action.MAKE_AGAIN):
            exports.make(export, again=action is Action.MAKE_AGAIN)
        elif action is Action.REMOVE:
            exports.remove(export)
    for snapshot in order.snapshots:
        if action is Action.REMOVE_SNAPSHOT:
            exports.remove_snapshot(snapshot)
        elif action is Action.REMOVE_UNUSED and not exports.remove_unused(snapshot):
            return IN_USE
    if action is Action.REMOVE_MOUNT:
        for mount_point in order.mount_points:
            exports.remove_mount(mount_point)
    return ""


def as_elsewhere(export: Export) -> Export:
    """The number of a device is this node's; where there is a handle it says as much."""
    return export._replace(identity=None) if export.handle else export


def _require_none(object: str, failures: Failures) -> None:
    """Raises: StorageError."""
    if failures:
        node, why = min(failures.items())
        raise StorageError(object, f"node {node}: {why}")
