"""`FrozenFiles`: which writers may be frozen, on disk before each freeze.

A file for each writer that stays frozen when its client ends, with what is needed to thaw it. The
files of one client have one lock, which the client and its keeper hold: whoever gets it knows that
both are dead, and thaws.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional

from fsrvpd.core.messages import format_guid, new_guid
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state import durable
from fsrvpd.requestor.state.files import default_directory
from fsrvpd.requestor.state.locks import Lock

FORMAT = 1
_MOST_BYTES = 1 << 16
_SUFFIX = ".json"


class FrozenRecord(NamedTuple):
    """A writer that is about to be frozen, is frozen, or is being thawed."""

    client: str  # an id of the process's group of writers, with one lock
    kind: str
    writer: str  # its name in the configuration
    values: Mapping[str, Any]  # what is needed to thaw it: JSON, without secrets
    job: str  # "" for none
    started: float  # s since 1970-01-01 UTC
    pid: int  # of the client


class FrozenFiles:
    """Records of frozen writers. `warn` is told of each file that is no record: it is kept."""

    def __init__(self, directory: Path, warn: Callable[[str], None] = lambda text: None) -> None:
        self.directory = directory
        self._frozen = directory / "frozen"
        self._warn = warn

    @classmethod
    def of_user(cls, warn: Callable[[str], None] = lambda text: None) -> FrozenFiles:
        return cls(default_directory(os.environ, os.geteuid()), warn)

    def records(self, client: Optional[str] = None) -> list[FrozenRecord]:
        """All, or those of one client, in the order in which they were frozen."""
        found = [record for record in map(self._read, self._paths()) if record]
        mine = [record for record in found if client in (None, record.client)]
        return sorted(mine, key=lambda record: (record.started, record.client, record.writer))

    def damaged(self) -> list[Path]:
        """The files that are no records: a writer may still be frozen."""
        return [path for path in self._paths() if _load(path)[0] is None and path.exists()]

    def path(self, record: FrozenRecord) -> Path:
        """Another one for each thing that is frozen: two writers may have one name, as the guest
        `web` of the writer `g` and the writer `g web` have."""
        what = json.dumps([record.kind, record.writer, record.values], sort_keys=True)
        digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        return self._frozen / f"{record.client}.{digest}{_SUFFIX}"

    def write(self, record: FrozenRecord) -> None:
        """Make a record durable. Raises: RequestorError; then the writer must not be frozen."""
        path, document = self.path(record), _document(record)
        if len(document) > _MOST_BYTES:  # nobody would read it
            cause = f"what is needed to thaw writer {record.writer} has {len(document)} bytes"
            raise RequestorError(str(path), cause, "name less in one writer")
        durable.check_owner(self.directory)
        try:
            durable.make_directories(self.directory, self._frozen)
            durable.replace(path, document)
        except OSError as error:
            cause = f"the state cannot be written: {error.strerror}"
            raise RequestorError(str(path), cause, f"df -h {self.directory}") from error

    def forget(self, record: FrozenRecord) -> None:
        """Remove the record of a writer that is thawed, if it is still there. Raises:
        RequestorError."""
        path = self.path(record)
        try:
            with suppress(FileNotFoundError):
                path.unlink()
                durable.sync(self._frozen)
        except OSError as error:
            cause = f"the state cannot be removed: {error.strerror}"
            raise RequestorError(str(path), cause, f"ls -l {self._frozen}") from error

    def lock(self, client: str) -> Lock:
        """The lock of a client's records, not yet taken. Raises: RequestorError."""
        durable.check_owner(self.directory)
        return Lock(self.directory / "locks" / f"frozen-{client}", f"process {os.getpid()}")

    def tidy(self) -> None:
        """Remove what killed clients had begun to write: they had not frozen anything yet."""
        for path in self._paths(_SUFFIX + durable.NEW):
            with suppress(OSError, RequestorError), self.lock(path.name.partition(".")[0]) as lock:
                if lock.acquire():
                    path.unlink()

    def _paths(self, suffix: str = _SUFFIX) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(self._frozen))
        except FileNotFoundError:
            return
        except OSError as error:
            self._warn(f"{self._frozen}: cannot be read: {error.strerror}")
            return
        yield from (self._frozen / name for name in names if name.endswith(suffix))

    def _read(self, path: Path) -> Optional[FrozenRecord]:
        record, why = _load(path)
        if record is not None and self.path(record) != path:
            record, why = None, "it is the record of another writer"
        if record is None and why:
            self._warn(f"{path}: not a record of a frozen writer: {why}; it is kept")
        return record


def new_client() -> str:
    """An id that no other client has."""
    return format_guid(new_guid()).strip("{}").lower()


def _document(record: FrozenRecord) -> bytes:
    return json.dumps({"format": FORMAT, **record._asdict()}, indent=1).encode() + b"\n"


def _load(path: Path) -> tuple[Optional[FrozenRecord], str]:
    """The record of a file, or why there is none; no reason where the file has just gone."""
    try:
        return _record(json.loads(durable.load(path, _MOST_BYTES))), ""
    except FileNotFoundError:
        return None, ""
    except (durable.Unreadable, ValueError, RecursionError) as error:
        return None, str(error)


def _record(fields: Any) -> FrozenRecord:
    """Raises: ValueError."""
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(f"no JSON object of format {FORMAT}")
    kinds: Mapping[str, Any] = {"started": (int, float), "pid": int, "values": dict}
    for name in FrozenRecord._fields:
        if not isinstance(fields.get(name), kinds.get(name, str)):
            raise ValueError(f"{name} is missing, or of another kind")
    return FrozenRecord(**{name: fields[name] for name in FrozenRecord._fields})
