"""`MountFiles`: records of the mounts of this host, a file for each mount point.

The lock of a mount point is held as long as somebody serves the mount. Beside the record is what
the mount could not show.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state import durable
from fsrvpd.requestor.state.files import default_directory
from fsrvpd.requestor.state.locks import Lock

_RECORD, _PROBLEMS = ".json", ".problems"
_MOST_BYTES = 1 << 16


class MountRecord(NamedTuple):
    point: str  # the mount point's whole path
    job: str
    set_id: Guid  # made here, as in the set's records
    shadow_share: str  # what is mounted, as a UNC
    by_cifs: bool  # in place of a process of ours
    kept: bool  # it belongs to no process, and its set is deleted with it
    pid: int  # of the process that serves it; 0 for cifs


class MountFiles:
    """Any number of processes may use one directory; a record is written by whoever holds the lock
    of its mount point. `warn` is told of each file that is no record: it is kept."""

    def __init__(self, directory: Path, warn: Callable[[str], None] = lambda text: None) -> None:
        self.directory = directory
        self._mounts = directory / "mounts"
        self._warn = warn

    @classmethod
    def of_user(cls, warn: Callable[[str], None] = lambda text: None) -> MountFiles:
        return cls(default_directory(os.environ, os.geteuid()), warn)

    def records(self) -> list[MountRecord]:
        """Every record that can be read, in the order of the mount points."""
        try:
            names = sorted(os.listdir(self._mounts))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._warn(f"{self._mounts}: cannot be read: {error.strerror}")
            return []
        paths = [self._mounts / name for name in names if name.endswith(_RECORD)]
        return sorted(filter(None, map(self._read, paths)), key=lambda record: record.point)

    def at(self, point: Path) -> Optional[MountRecord]:
        """The record of a mount point, if there is one that can be read."""
        return self._read(self._path(str(point), _RECORD))

    def write(self, record: MountRecord) -> None:
        """Make a record durable. Raises: RequestorError; then nothing may be mounted."""
        path = self._path(record.point, _RECORD)
        fields = {**record._asdict(), "set_id": format_guid(record.set_id)}
        durable.check_owner(self.directory)
        try:
            durable.make_directories(self.directory, self._mounts)
            durable.replace(path, json.dumps(fields).encode())
        except OSError as error:
            cause = f"the state cannot be written: {error.strerror}"
            raise RequestorError(str(path), cause, f"df -h {self._mounts}") from error

    def forget(self, record: MountRecord) -> None:
        """Remove the record, if it is there, and what was written beside it.
        Raises: RequestorError."""
        path = self._path(record.point, _RECORD)
        new = path.with_name(path.name + durable.NEW)
        try:
            for each in (self.problems_file(record), new, path):
                with suppress(FileNotFoundError):
                    each.unlink()
        except OSError as error:
            cause = f"the state cannot be removed: {error.strerror}"
            raise RequestorError(str(path), cause, f"ls -l {self._mounts}") from error

    def problems_file(self, record: MountRecord) -> Path:
        return self._path(record.point, _PROBLEMS)

    def lock(self, point: Path) -> Lock:
        """The lock of a mount point, not yet taken. Raises: RequestorError."""
        return self._lock(f"mount-{_digest(str(point))}")

    def lock_of_set(self, set_id: Guid) -> Lock:
        """The lock of whoever looks whether a set has other mounts, not yet taken.
        Raises: RequestorError."""
        return self._lock(f"mounts-of-{format_guid(set_id)}")

    def _lock(self, name: str) -> Lock:
        durable.check_owner(self.directory)
        return Lock(self.directory / "locks" / name, f"process {os.getpid()}")

    def _path(self, point: str, suffix: str) -> Path:
        return self._mounts / f"{_digest(point)}{suffix}"

    def _read(self, path: Path) -> Optional[MountRecord]:
        try:
            record = _parsed(json.loads(durable.load(path, _MOST_BYTES)))
            if self._path(record.point, _RECORD) == path:
                return record
            why = "it is the record of another mount"
        except FileNotFoundError:  # it has just gone
            return None
        except (durable.Unreadable, ValueError, KeyError, TypeError) as error:
            why = str(error)
        self._warn(f"{path}: not a record of a mount: {why}; it is kept")
        return None


def _digest(point: str) -> str:
    return hashlib.sha256(point.encode(errors="surrogatepass")).hexdigest()[:32]


def _parsed(fields: Mapping[str, Any]) -> MountRecord:
    """Raises: ValueError, KeyError, TypeError."""
    record = MountRecord(
        point=os.fspath(fields["point"]),
        job=str(fields["job"]),
        set_id=parse_guid(fields["set_id"]),
        shadow_share=str(fields["shadow_share"]),
        by_cifs=bool(fields["by_cifs"]),
        kept=bool(fields["kept"]),
        pid=int(fields["pid"]),
    )
    if not os.path.isabs(record.point):
        raise ValueError("the mount point is no whole path")
    return record
