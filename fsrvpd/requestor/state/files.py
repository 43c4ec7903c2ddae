"""`StateFiles`: records of sets in a directory, a file for each set and server.

A record is replaced as a whole and synced, file and directory, before `write` returns.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator, Mapping, Optional

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.state import durable
from fsrvpd.requestor.state.document import MOST_BYTES, Damaged, from_document, to_document
from fsrvpd.requestor.state.locks import Lock

FOR_ROOT = Path("/var/lib/fsrvpshadow")
_SUFFIX = ".json"


def default_directory(environment: Mapping[str, str], uid: int) -> Path:
    """/var/lib/fsrvpshadow for root, the XDG state directory for others."""
    if uid == 0:
        return FOR_ROOT
    base = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):  # as the XDG specification says
        base = os.path.join(environment.get("HOME") or "/", ".local", "state")
    return Path(base) / "fsrvpshadow"


class StateFiles:
    """A SetStore. `warn` is told of each file that is no record: it is kept, for people.

    Any number of processes and threads may use one directory. Records of one set are written by
    whoever holds its lock.
    """

    def __init__(self, directory: Path, warn: Callable[[str], None] = lambda text: None) -> None:
        self.directory = directory
        self._sets = directory / "sets"
        self._locks = directory / "locks"
        self._warn = warn

    @classmethod
    def of_user(cls, warn: Callable[[str], None] = lambda text: None) -> StateFiles:
        return cls(default_directory(os.environ, os.geteuid()), warn)

    def records(self, set_id: Optional[Guid] = None) -> list[SetRecord]:
        """Every record that can be read, or every one of a set, the oldest first."""
        begin = "" if set_id is None else _name_of(set_id)
        paths = [path for path in self._files(self._sets, _SUFFIX) if path.name.startswith(begin)]
        found = [record for record in map(self._read, paths) if record]
        return sorted(found, key=lambda record: (record.started, record.server))

    def damaged(self) -> list[Path]:
        """The files that are no records: nobody knows what they may stand for."""
        return [path for path in self._files(self._sets, _SUFFIX) if _load(path)[0] is None]

    def write(self, record: SetRecord) -> None:
        """Make a record durable. Raises: RequestorError; then the call that it precedes must not
        be made."""
        path = self._path(record)
        durable.check_owner(self.directory)
        try:
            durable.make_directories(self.directory, self._sets)
            durable.replace(path, to_document(record))
        except Damaged as error:
            cause = f"what could not be read again is not written: {error}"
            raise RequestorError(str(path), cause, "use shorter names") from None
        except OSError as error:
            cause = f"the state cannot be written: {error.strerror}"
            raise RequestorError(str(path), cause, f"df -h {self.directory}") from error

    def forget(self, record: SetRecord) -> None:
        """Remove a record whose set is gone. Raises: RequestorError."""
        path = self._path(record)
        try:
            for each in (path, path.with_name(path.name + durable.NEW)):
                with suppress(FileNotFoundError):
                    each.unlink()
            durable.sync(self._sets)
        except FileNotFoundError:
            return
        except OSError as error:
            cause = f"the state cannot be removed: {error.strerror}"
            raise RequestorError(str(path), cause, f"ls -l {self._sets}") from error

    def lock(self, name: str, *, holder: str = "") -> Lock:
        """The lock of a set, a job or a server, not yet taken. `holder`: for others to read.
        Raises: RequestorError for a directory of somebody else."""
        durable.check_owner(self.directory)
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:32]
        return Lock(self._locks / digest, holder or name)

    def lock_of_set(self, set_id: Guid, *, holder: str = "") -> Lock:
        """The lock of whoever works with a set, and writes its records."""
        return self.lock(f"set {format_guid(set_id)}", holder=holder)

    def tidy(self) -> None:
        """Remove locks that nobody holds, and what killed writers had begun to write."""
        for path in self._files(self._sets, _SUFFIX + durable.NEW):
            with (
                suppress(ValueError, OSError, RequestorError),
                self.lock_of_set(_set_of(path)) as lock,
            ):
                if lock.acquire():
                    path.unlink()
        for path in self._files(self._locks, ""):
            with suppress(RequestorError), Lock(path, "") as lock:  # what is no lock stays
                lock.acquire()

    def _path(self, record: SetRecord) -> Path:
        place = "\0".join((record.server, record.owner or "")).encode(errors="surrogatepass")
        digest = hashlib.sha256(place).hexdigest()[:16]
        return self._sets / f"{_name_of(record.set_id)}{digest}{_SUFFIX}"

    def _files(self, directory: Path, suffix: str) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(directory))
        except FileNotFoundError:
            return
        except OSError as error:
            self._warn(f"{directory}: cannot be read: {error.strerror}")
            return
        yield from (directory / name for name in names if name.endswith(suffix))

    def _read(self, path: Path) -> Optional[SetRecord]:
        record, why = _load(path)
        if record is not None and self._path(record) != path:
            record, why = None, "it is the record of another set"
        if record is None and why:
            self._warn(f"{path}: not a record of a set: {why}; it is kept")
        return record


def _name_of(set_id: Guid) -> str:
    """With which the names of the set's files begin."""
    return format_guid(set_id).strip("{}").lower() + "."


def _set_of(path: Path) -> Guid:
    """The set of a record's file, by the name of the file. Raises: ValueError."""
    return parse_guid(path.name.partition(".")[0])


def _load(path: Path) -> tuple[Optional[SetRecord], str]:
    """The record of a file, or why there is none; no reason where the file has just gone."""
    try:
        return from_document(durable.load(path, MOST_BYTES)), ""
    except FileNotFoundError:
        return None, ""
    except (durable.Unreadable, Damaged) as error:
        return None, str(error)
