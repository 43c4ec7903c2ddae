"""GlobalShadowCopySetTable, with counts by volume and by client: no query walks it.

Spec: MS-FSRVP 3.1.1.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Optional

from fsrvpd.core.messages import Guid
from fsrvpd.protocol.model import PUBLISHED, ShadowCopy, ShadowCopySet, Status, client_of


class ShadowCopySetTable:
    """The sets by id. A Status and a list of copies change through the table only."""

    def __init__(self) -> None:
        self._sets: dict[Guid, ShadowCopySet] = {}
        self._published: Counter[str] = Counter()
        self._clients: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sets)

    def __iter__(self) -> Iterator[ShadowCopySet]:
        return iter(self._sets.values())

    def get(self, shadow_copy_set_id: Guid) -> Optional[ShadowCopySet]:
        return self._sets.get(shadow_copy_set_id)

    def of_client(self, address: str) -> int:
        """How many sets of a client exist."""
        return self._clients[client_of(address)]

    def has_shadow_copy(self, volume_name: str) -> bool:
        """Whether a Committed, Exposed or Recovered copy of the volume exists (3.1.4.10)."""
        return self._published[volume_name] > 0

    def add(self, shadow_copy_set: ShadowCopySet) -> None:
        self._sets[shadow_copy_set.shadow_copy_set_id] = shadow_copy_set
        _add_to(self._clients, client_of(shadow_copy_set.client_address), +1)
        self._count(shadow_copy_set, +1)

    def remove(self, shadow_copy_set: ShadowCopySet) -> None:
        """Take a set out. It is no error if it is not in the table."""
        if shadow_copy_set.shadow_copy_set_id in self._sets:
            self._count(shadow_copy_set, -1)
            _add_to(self._clients, client_of(shadow_copy_set.client_address), -1)
            del self._sets[shadow_copy_set.shadow_copy_set_id]

    def set_status(self, shadow_copy_set: ShadowCopySet, status: Status) -> None:
        self._count(shadow_copy_set, -1)
        shadow_copy_set.status = status
        self._count(shadow_copy_set, +1)

    def remove_copy(self, shadow_copy_set: ShadowCopySet, copy: ShadowCopy) -> None:
        self._count(shadow_copy_set, -1)
        shadow_copy_set.shadow_copy_list.remove(copy)
        self._count(shadow_copy_set, +1)

    def _count(self, shadow_copy_set: ShadowCopySet, step: int) -> None:
        """Only sets in the table count; one that is being removed may still lose copies."""
        listed = shadow_copy_set.shadow_copy_set_id in self._sets
        if not listed or shadow_copy_set.status not in PUBLISHED:
            return
        for copy in shadow_copy_set.shadow_copy_list:
            _add_to(self._published, copy.volume_name, step)


def _add_to(counter: Counter[str], key: str, step: int) -> None:
    counter[key] += step
    if not counter[key]:
        del counter[key]
