"""The contract of stores, kept by the one of a single server."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError
from fsrvpd.store.sqlite import SqliteStore
from tests.store_contract import Changes, StoreContract


class SqliteHarness:
    """A process that ends leaves its files as they are."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "0"
        self.store = SqliteStore(str(self.path))

    @property
    def id(self) -> str:
        return self.store.id

    def submit(self, changes: Changes, *, durable: bool = True) -> None:
        told: list[Optional[StoreError]] = []
        self.store.submit(changes, durable=durable, done=told.append)
        assert len(told) == 1
        if told[0] is not None:
            raise told[0]

    def submit_all(self, submissions: Sequence[Changes]) -> list[int]:
        done: list[int] = []
        for number, changes in enumerate(submissions):
            self.store.submit(
                changes, durable=True, done=lambda failure, number=number: done.append(number)
            )
        return done

    def load(self) -> Mapping[Guid, str]:
        return self.store.load()

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        self.store.keep(changes)

    def kept(self) -> Mapping[str, bool]:
        return self.store.kept()

    def restart(self) -> None:
        left = self.path.with_name(f"{self.path.name}0")
        for end in ("", "-wal"):
            shutil.copy(f"{self.path}{end}", f"{left}{end}")
        self.store.close()
        self.path = left
        self.store = SqliteStore(str(left))

    def start_rival(self) -> None:
        SqliteStore(str(self.path)).close()


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[SqliteHarness]:
    made = SqliteHarness(tmp_path)
    with contextlib.closing(made.store):
        yield made


class TestSqlite(StoreContract):
    pass
