"""Mounts that nobody serves any more, and the end of those that are kept.

The record of a mount is forgotten last: it alone says that its set is to be deleted.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Iterable, NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.errors import BUSY, RequestorError
from fsrvpd.requestor.mount import kernel, places, problems
from fsrvpd.requestor.mount.process import SERVER
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord

_LONGEST_END = 10.0  # seconds


class Left(NamedTuple):
    """`error` is why it could not be unmounted."""

    record: MountRecord
    error: Optional[RequestorError] = None


class Unmounting(NamedTuple):
    """What was found of mounts."""

    removed: Tuple[MountRecord, ...]
    in_use: Tuple[MountRecord, ...]  # somebody serves them
    left: Tuple[Left, ...]


def unmount_left(
    store: MountFiles, records: Iterable[MountRecord], *, dry_run: bool = False
) -> Unmounting:
    """Unmount what processes that were killed have left mounted. The caller forgets what was
    removed."""
    removed, in_use, left = [], [], []
    for record in records:
        point = Path(record.point)
        with store.lock(point) as lock:
            is_free = lock.acquire()
            # Whoever had the lock may have ended the mount since, or mounted something else.
            if not _is_same(store.at(point), record):
                continue
            if not is_free or is_kept_by_the_kernel(record):
                in_use.append(record)
                continue
            try:
                if not dry_run:
                    _remove(point)
                removed.append(record)
            except RequestorError as error:
                left.append(Left(record, error))
    return Unmounting(tuple(removed), tuple(in_use), tuple(left))


def unmount(store: MountFiles, record: MountRecord, *, force: bool = False) -> problems.Found:
    """End a mount that is kept. `force`: also if it is in use. Returns what it could not show. The
    caller forgets it. Raises: RequestorError."""
    point = Path(record.point)
    try:
        if kernel.mounted_at(point) is not None:
            kernel.unmount(point, detach=force)
    except OSError as error:
        cause = f"it cannot be unmounted: {error.strerror}"
        next_step = f"end what uses it (`fuser -vm {point}`), or add --force"
        raise RequestorError(record.point, cause, next_step, exit_status=BUSY) from error
    with store.lock(point) as lock:
        if not lock.acquire(_LONGEST_END):
            if force and _serves(record.pid):
                with suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)
            if not force or not lock.acquire(_LONGEST_END):
                cause = "the process that serves it does not end"
                raise RequestorError(record.point, cause, f"kill {record.pid}")
        found = problems.read(store.problems_file(record))
        _remove(point)
    return found


def forget(store: MountFiles, record: MountRecord) -> None:
    """Forget a mount that has ended, unless another one has taken its place since.
    Raises: RequestorError."""
    point = Path(record.point)
    with store.lock(point) as lock:
        if lock.acquire(_LONGEST_END) and _is_same(store.at(point), record):
            store.forget(record)


def of(records: Iterable[MountRecord], name: str) -> Sequence[MountRecord]:
    """Those of a job, or of all jobs' mounts the one at a path or below it."""
    path = os.path.abspath(name)
    return [
        record
        for record in records
        if record.job == name or os.path.commonpath([path, record.point]) == path
    ]


def is_kept_by_the_kernel(record: MountRecord) -> bool:
    """No process serves it, and none has to."""
    return record.by_cifs and record.kept and kernel.mounted_at(Path(record.point)) is not None


def _remove(point: Path) -> None:
    """Raises: RequestorError."""
    kernel.detach_all(point)
    places.remove(point)


def _is_same(found: Optional[MountRecord], record: MountRecord) -> bool:
    """Not the `pid`, which is written later."""
    return found is not None and found.set_id == record.set_id


def _serves(pid: int) -> bool:
    """Not what has got its number since; and 0, of a mount that is being made, means our group."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if pid > 0 else []
    except OSError:
        return False
    return SERVER.encode() in words
