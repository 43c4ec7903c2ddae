r"""`Mounts`: the copies of a set as directories, for as long as a block lasts or until `unmount`.

with Mounts(store, credentials) as mounts:
    paths = mounts.mount(created, "nightly")
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import List, NamedTuple, Optional, Protocol, Sequence, Type

from fsrvpd.core.messages import Guid
from fsrvpd.requestor.errors import BUSY, RequestorError
from fsrvpd.requestor.mount import cifs, kernel, left, places, problems
from fsrvpd.requestor.mount.documents import Order
from fsrvpd.requestor.mount.process import Process
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.locks import Lock
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord


class Copy(Protocol):
    """What is needed of a `ShadowCopy`."""

    @property
    def root(self) -> ShareRoot: ...

    @property
    def unc(self) -> str: ...


class CopySet(Protocol):
    """What is needed of a `ShadowCopySet`."""

    @property
    def set_id(self) -> Guid: ...

    @property
    def copies(self) -> Sequence[Copy]: ...


class Unshown(NamedTuple):
    """What a mount could not show as it is."""

    share: str
    found: problems.Found


class _Mount:
    """One of them."""

    def __init__(self, record: MountRecord, lock: Lock, unc: str) -> None:
        self.record, self.lock, self.unc = record, lock, unc
        self.point = Path(record.point)
        self.process: Optional[Process] = None  # None for cifs
        self.mounted = False  # whether it ever was


class Mounts:
    """`kept`: the mounts outlive this process. `by_cifs`: the kernel's own file system in place of
    ours. One thread uses it."""

    def __init__(
        self,
        store: MountFiles,
        credentials: Credentials,
        *,
        encrypt: bool = False,
        by_cifs: bool = False,
        kept: bool = False,
        directory: Optional[Path] = None,
    ) -> None:
        """`directory`: of all jobs' mounts. Raises: RequestorError if there is none for them, or no
        FUSE: no server has to work for nothing."""
        self._store, self._credentials, self._encrypt = store, credentials, encrypt
        self._by_cifs, self._kept = by_cifs, kept
        if not by_cifs:
            kernel.require_fuse()
        self._directory = directory or places.mount_directory(os.environ, os.geteuid())
        self._mounts: List[_Mount] = []
        self._ended: List[MountRecord] = []  # and not yet forgotten

    def mount(self, created: CopySet, job: str) -> Sequence[Path]:
        """Mount all copies of a set, in their order. What a killed run of the job has left mounted
        is unmounted first. Raises: RequestorError; then nothing is mounted."""
        points = places.points(self._directory, job, [copy.root for copy in created.copies])
        try:
            for point, copy in zip(points, created.copies):
                self._mounts.append(self._begin(point, copy, created.set_id, job))
            for mount in self._mounts:
                _wait_until_mounted(mount)
        except BaseException:
            with suppress(RequestorError):  # the first failure is the one to be told
                self.unmount()
            raise
        return points

    def directory_of(self, job: str) -> Path:
        """In which the mounts of a job are."""
        return self._directory / places.component(job)

    def unmount(self) -> Sequence[Unshown]:
        """End all of them. Those that were to be kept stay recorded until `forget`. Raises:
        RequestorError if one of them had ended before, so that whoever read it cannot have read
        all, or cannot be ended."""
        errors: List[RequestorError] = []
        unshown = []
        lost = [mount for mount in self._mounts if mount.process and mount.process.is_over]
        for mount in self._mounts:
            if mount.process is not None:
                mount.process.let_go()
        for mount in self._mounts:
            try:
                _end(mount, was_lost=mount in lost)
            except RequestorError as error:
                errors.append(error)
            found = problems.read(self._store.problems_file(mount.record))
            unshown.append(Unshown(mount.unc, found))
            if kernel.mounted_at(mount.point) is None:
                self._ended_now(mount)
        self._mounts = []
        if errors:
            raise errors[0]
        return [each for each in unshown if each.found.counts]

    def forget(self) -> None:
        """The set of mounts that were to be kept, and have ended, is deleted: until now `clean`
        would have done so. Raises: RequestorError."""
        for record in self._ended:
            left.forget(self._store, record)
        self._ended = []

    def leave(self) -> None:
        """Let mounts that are kept outlive this process; the command `unmount` finds them."""
        for mount in self._mounts:
            if mount.process is not None:
                mount.process.let_stay()
            mount.lock.leave()
        self._mounts = []

    def __enter__(self) -> Mounts:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._kept and error is None:
            self.leave()
        else:
            self.unmount()

    def _begin(self, point: Path, copy: Copy, set_id: Guid, job: str) -> _Mount:
        lock = self._store.lock(point)
        cause = self._why_not(point, set_id) if lock.acquire() else "it is mounted already"
        if cause:
            lock.release()
            next_step = f"fsrvpshadow unmount {point}"
            raise RequestorError(str(point), cause, next_step, exit_status=BUSY)
        record = MountRecord(str(point), job, set_id, copy.unc, self._by_cifs, self._kept, 0)
        mount = _Mount(record, lock, copy.root.unc)
        try:
            self._store.write(record)
            kernel.detach_all(point)
            places.make(point, self._directory)
            if self._by_cifs:
                cifs.mount(copy.unc, copy.root.prefix, point, self._credentials, self._encrypt)
            else:
                order = self._order(mount, copy)
                mount.process = Process(order, lock, is_kept=self._kept)
                mount.record = record._replace(pid=mount.process.pid)
                self._store.write(mount.record)
        except BaseException:
            self._undo(mount)
            raise
        return mount

    def _why_not(self, point: Path, set_id: Guid) -> str:
        """Why nothing may be mounted there; "" if it may. The record of a kept mount may be the
        last that knows of its set."""
        earlier = self._store.at(point)
        if earlier is None or not earlier.kept or earlier.set_id == set_id:
            return ""
        if left.is_kept_by_the_kernel(earlier):
            return "it is mounted already"
        return "an earlier mount, which has ended, has left its shadow copy set"

    def _order(self, mount: _Mount, copy: Copy) -> Order:
        host, _, share = copy.unc[2:].partition("\\")
        return Order(
            host=host,
            share=share,
            live_share=copy.root.share,
            prefix=copy.root.prefix,
            point=mount.record.point,
            problems=str(self._store.problems_file(mount.record)),
            user=self._credentials.user,
            password=self._credentials.password,
            kerberos=self._credentials.kerberos,
            encrypt=self._encrypt,
        )

    def _undo(self, mount: _Mount) -> None:
        if mount.process is not None:
            mount.process.end()
        with suppress(RequestorError):  # the kernel may have mounted it all the same
            kernel.detach_all(mount.point)
        self._ended_now(mount)

    def _ended_now(self, mount: _Mount) -> None:
        places.remove(mount.point)
        if self._kept:
            self._ended.append(mount.record)
        else:
            self._store.forget(mount.record)
        mount.lock.release()


def _wait_until_mounted(mount: _Mount) -> None:
    """Raises: RequestorError."""
    if mount.process is not None:
        mount.process.wait_until_mounted(mount.record.point)
    mounted = kernel.mounted_at(mount.point)
    if mounted is None:
        raise RequestorError(mount.record.point, "it is not mounted any more", "try again")
    mount.mounted = True
    kernel.read_ahead(mounted.device)


def _end(mount: _Mount, *, was_lost: bool) -> None:
    """Raises: RequestorError if it had ended before, or cannot be ended."""
    if mount.process is not None:
        mount.process.end()
    kernel.detach_all(mount.point)
    if was_lost and mount.mounted:
        cause = "the mount had ended before it was to: whoever read it cannot have read all"
        raise RequestorError(mount.record.point, cause, "see the log for why, and try again")
