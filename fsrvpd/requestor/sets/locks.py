"""The three locks of a run: of its job, of its set, and of each server while a set is created.

A server takes a second SetContext from one address for a new beginning and drops what that address
was creating. So two runs of this host must not create on one server at the same time.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Optional, Sequence

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.unc import normal_host
from fsrvpd.requestor.errors import BUSY, RequestorError, ServerBusy
from fsrvpd.requestor.events import Event, Report
from fsrvpd.requestor.ports import HostLock, SetStore

# s: how long another run of this host that creates a set is waited for, where nothing is said.
OTHER_RUN = 60.0


def lock_of_set(store: SetStore, set_id: Guid) -> HostLock:
    return store.lock_of_set(set_id, holder=_me())


def lock_of_job(store: SetStore, job: str) -> HostLock:
    return store.lock(f"job {job}", holder=_me())


def take_job(lock: HostLock, job: str, wait: Optional[float], report: Report) -> None:
    """Raises: RequestorError if another run of the job does not end in time."""
    if lock.acquire():
        return
    cause = f"the job runs already: {lock.held_by() or 'another process has its lock'}"
    if wait:
        report(Event("waiting", f"job {job}: {cause}; at most {wait:.0f} s", {"left": wait}))
    if not wait or not lock.acquire(wait):
        next_step = "wait for its end, or let `--wait SECONDS` do so"
        raise RequestorError(f"job {job}", cause, next_step, exit_status=BUSY)


def take_servers(
    store: SetStore, hosts: Sequence[str], wait: Optional[float], report: Report, until: ExitStack
) -> None:
    """Hold the locks of servers `until` its end. They are taken in one order, so that two runs do
    not wait for one another: `wait` seconds at most, OTHER_RUN where nothing is said. Who waits is
    told. Raises: ServerBusy."""
    deadline = time.monotonic() + (OTHER_RUN if wait is None else wait)
    for host in sorted({normal_host(host) for host in hosts}):
        # Its release is sure before it is taken, whenever an interrupt comes.
        lock = until.enter_context(store.lock(f"server {host}", holder=_me()))
        if lock.acquire():
            continue
        cause = f"another run on this host is creating a set there: {lock.held_by()}"
        left = max(0.0, deadline - time.monotonic())
        if left:
            fields = {"left": round(left, 3)}
            report(Event("waiting", f"{host}: {cause}; at most {left:.0f} s", fields))
        if not left or not lock.acquire(left):
            raise ServerBusy(host, cause, "try again later, or let `--wait SECONDS` do so")


def _me() -> str:
    return f"process {os.getpid()}"
