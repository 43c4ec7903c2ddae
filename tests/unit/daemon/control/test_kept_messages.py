"""keep-set: what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from fsrvpd.daemon.control.kept_messages import KeptMessages
from fsrvpd.errors import FsrvpdError, StoreError
from fsrvpd.protocol.model import ShadowCopySet, Status
from tests.unit.daemon.control.examples import (
    COPY_ID,
    SET_ID,
    RecordedRequest,
    SetsView,
    recovered_set,
)


class Kept:
    """The messages, and what they have changed."""

    def __init__(self, shadow_copy_set: ShadowCopySet) -> None:
        self.changed: list[Any] = []
        self.failure: Optional[StoreError] = None
        driver: Any = SimpleNamespace(view=SetsView(shadow_copy_set), keep_set=self._keep_set)
        keeper: Any = SimpleNamespace(holds=SimpleNamespace(change=self.changed.append))
        self._messages = KeptMessages(driver, keeper)

    def _keep_set(self, key: bytes, done: Callable[[Optional[StoreError]], None]) -> None:
        self.changed.append(key)
        done(self.failure)

    def keep(self) -> RecordedRequest:
        request: Any = RecordedRequest()
        self._messages.keep([SET_ID], request)
        return request  # type: ignore[no-any-return]


def test_a_complete_set_is_kept() -> None:
    kept = Kept(recovered_set())
    assert kept.keep().result == {"set": SET_ID, "copies": [COPY_ID], "held": True}
    assert len(kept.changed) == 2


def test_a_set_whose_state_cannot_be_written_is_not_said_to_be_kept() -> None:
    kept = Kept(recovered_set())
    kept.failure = StoreError("the disk is full")
    request = kept.keep()
    assert (request.result, request.error) == (None, "the disk is full")


def test_a_set_that_its_client_is_deleting_is_not_kept() -> None:
    found = recovered_set()
    found.shadow_copy_list[0].share_mapping_list[0].deleting = True
    kept = Kept(found)
    with pytest.raises(FsrvpdError, match="cannot be kept: its client is deleting it"):
        kept.keep()
    assert not kept.changed


def test_a_backup_that_is_not_complete_is_not_kept() -> None:
    found = recovered_set()
    found.status = Status.EXPOSED
    kept = Kept(found)
    with pytest.raises(FsrvpdError, match="only a complete backup is kept"):
        kept.keep()
    assert not kept.changed
