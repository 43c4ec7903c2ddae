"""A set, and a control request that records its reply."""

from __future__ import annotations

from typing import Any, Callable, Optional

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot

SET, COPY = b"s" * 16, b"c" * 16
SET_ID, COPY_ID = format_guid(SET), format_guid(COPY)
SHARE = f"data@{COPY_ID}"
ROOT = f"/vol/.fsrvpd/fsrvp-{COPY_ID}_GMT-2026.11.21-08.30.00"
SNAPSHOT = Snapshot("btrfs", "btrfs:1", ROOT, f"{ROOT}/data", 1000.0)
LOCATION = ShareLocation(Share("data", "/vol/data", False), "btrfs:1", "/vol", "btrfs", "/vol/data")


def recovered_set() -> ShadowCopySet:
    mapped = MappedShare(r"\\nas\data", "data", "/vol/data", SHARE, is_exposed=True)
    copy = ShadowCopy(COPY, LOCATION, 0, [mapped], SNAPSHOT)
    return ShadowCopySet(SET, 0, "10.0.0.1", "NAS\\backup", 900.0, Status.RECOVERED, [copy])


class RecordedRequest:
    """The part of a `ControlRequest` that handlers use."""

    def __init__(self) -> None:
        self.uid = 1000
        self.open = True
        self.events: list[Any] = []
        self.result: Any = None
        self.error: Optional[str] = None
        self.on_close: list[Callable[[], None]] = []
        self.on_read: Optional[Callable[[], None]] = None
        self.unsent = 0

    def send_event(self, event: Any) -> None:
        self.events.append(event)

    def finish(self, result: Any) -> None:
        assert not self.is_answered
        self.result = result

    def fail(self, error: str) -> None:
        assert not self.is_answered
        self.error = error

    def guard(self, reply: Callable[[], None]) -> None:
        try:
            reply()
        except FsrvpdError as error:
            self.fail(str(error))

    @property
    def is_answered(self) -> bool:
        return self.result is not None or self.error is not None

    def close(self) -> None:
        for function in self.on_close:
            function()


class SetsView:
    """The part of an `AgentView` that handlers use, for these sets."""

    def __init__(self, *sets: ShadowCopySet) -> None:
        self.all_sets = list(sets)
        self.running_jobs = 0

    @property
    def removing(self) -> list[ShadowCopySet]:
        return [each for each in self.all_sets if each.removing]

    @property
    def settings(self) -> Any:
        raise AssertionError("a test that needs settings sets them")

    def count_by_status(self) -> dict[Status, int]:
        present = [each.status for each in self.all_sets if not each.removing]
        return {status: present.count(status) for status in Status}

    def find(self, set_id: Guid) -> Optional[ShadowCopySet]:
        return next((each for each in self.all_sets if each.shadow_copy_set_id == set_id), None)

    get = find
