"""Thaws what a client and its keeper, both killed, have left frozen."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple, Optional, Sequence, Tuple

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.state.frozen import FrozenFiles, FrozenRecord
from fsrvpd.requestor.writers.ports import ThawRecipe
from fsrvpd.requestor.writers.recipes import thaw_late
from fsrvpd.requestor.writers.thawing import thaw_all

_TRY = 10.0  # s


class LeftFrozen(NamedTuple):
    """A writer that could not be thawed, and why."""

    record: FrozenRecord
    error: RequestorError


class Thawing(NamedTuple):
    thawed: Tuple[FrozenRecord, ...]
    in_use: Tuple[FrozenRecord, ...]  # of clients or keepers that run
    left: Tuple[LeftFrozen, ...]


def thaw_left(store: FrozenFiles, *, dry_run: bool = False) -> Thawing:
    """Raises: RequestorError for a directory of somebody else."""
    thawed: list[FrozenRecord] = []
    in_use: list[FrozenRecord] = []
    left: list[LeftFrozen] = []
    for client, _ in groupby(store.records(), lambda record: record.client):
        with store.lock(client) as lock:
            # Whoever had the lock may have thawed since.
            records = store.records(client) if lock.acquire() else ()
            if not records:
                in_use += store.records(client)
            elif dry_run:
                thawed += records
            else:
                outcomes = thaw_all(_recipes(records), _TRY, thaw_late)
                for record, error in zip(records, outcomes):
                    error = error or _forget(store, record)
                    (left.append(LeftFrozen(record, error)) if error else thawed.append(record))
    if not dry_run:
        store.tidy()
    return Thawing(tuple(thawed), tuple(in_use), tuple(left))


def _recipes(records: Sequence[FrozenRecord]) -> list[ThawRecipe]:
    return [ThawRecipe(record.kind, record.writer, record.values) for record in records]


def _forget(store: FrozenFiles, record: FrozenRecord) -> Optional[RequestorError]:
    try:
        store.forget(record)
    except RequestorError as error:
        return error
    return None
