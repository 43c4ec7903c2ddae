"""Replies as JSON: values that a program may compare are identifiers."""

from __future__ import annotations

import json
import math
from typing import Optional

import pytest

from fsrvpd.daemon.control import replies
from fsrvpd.daemon.log.events import BY_NAME
from fsrvpd.daemon.reconciliation.discrepancies import Discrepancy
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import NO_SET
from fsrvpd.protocol.ports import FoundSnapshot, Progress, Share
from fsrvpd.shares.volumes import ShareSupport
from tests.unit.daemon.control.examples import (
    COPY_ID,
    LOCATION,
    SET,
    SET_ID,
    SHARE,
    SNAPSHOT,
    recovered_set,
)

NOTHING = Inventory([], frozenset(), {}, frozenset(), {}, {})
FOUND = FoundSnapshot(SNAPSHOT, SET_ID, COPY_ID, "data", "NAS")


def no_progress(provider: str, copy_id: str) -> Optional[Progress]:
    return None


def test_a_set() -> None:
    one = recovered_set()
    one.snapshot_skew = 0.0004
    shown = replies.set_to_json(one, no_progress)
    assert json.loads(json.dumps(shown)) == {
        "set": SET_ID,
        "status": "Recovered",
        "context": "backup (0x0)",
        "client": "10.0.0.1",
        "account": "NAS\\backup",
        "started": 900.0,
        "snapshot_skew_ms": 0.4,
        "copies": [
            {
                "copy": COPY_ID,
                "volume": "btrfs:1",
                "provider": "btrfs",
                "snapshot": SNAPSHOT.root,
                "keep": False,
                "progress": None,
                "shares": [{"share": "data", "shadow_copy_share": SHARE, "exposed": True}],
            }
        ],
    }
    one.removing = True
    assert replies.set_to_json(one, no_progress)["status"] == "Removing"


@pytest.mark.parametrize(("limit", "shown"), [(50.0, 50.0), (math.inf, None)])
def test_progress_without_a_limit_is_json_too(limit: float, shown: Optional[float]) -> None:
    def progress_of(provider: str, copy_id: str) -> Progress:
        assert (provider, copy_id) == ("btrfs", COPY_ID)
        return Progress(7, 1.26, limit)

    [copy] = replies.set_to_json(recovered_set(), progress_of)["copies"]
    assert copy["progress"] == {"files": 7, "seconds": 1.3, "limit": shown}


@pytest.mark.parametrize(
    ("found", "known", "exported", "owner"),
    [
        (FOUND, True, False, "set"),
        (FOUND, False, False, "none"),
        (FOUND._replace(keep=True), False, False, "kept"),
        (FOUND._replace(shadow_copy_set_id=NO_SET), False, True, "samba"),
        (FOUND._replace(shadow_copy_set_id=NO_SET, keep=True), False, False, "samba-unexposed"),
    ],
)
def test_the_owner_of_a_snapshot(
    found: FoundSnapshot, known: bool, exported: bool, owner: str
) -> None:
    inventory = NOTHING._replace(exported=frozenset([COPY_ID] if exported else []))
    shown = replies.snapshot_to_json(found, [COPY_ID] if known else [], inventory)
    assert shown["owner"] == owner
    assert shown["set"] == (SET_ID if known else None)


def test_a_discrepancy() -> None:
    orphan = Discrepancy("orphan-share", SHARE, "no set knows it", "remove", names=(SHARE,))
    assert replies.discrepancy_to_json(orphan) == {
        "what": "orphan-share",
        "object": SHARE,
        "set": None,
        "action": "remove",
        "reason": "no set knows it",
    }
    lost = orphan._replace(shadow_copy_set_id=SET)
    assert replies.discrepancy_to_json(lost)["set"] == SET_ID


@pytest.mark.parametrize("done", [True, False])
def test_a_removal(done: bool) -> None:
    shown = replies.removal_to_json(recovered_set(), done=done)
    expected = {"set": SET_ID, "shares": [SHARE], "snapshots": [SNAPSHOT.root], "kept": []}
    assert shown == {**expected, "removed": done}


def test_support_of_a_share() -> None:
    support = ShareSupport(LOCATION.share, "/vol/data", LOCATION, HResult.ZERO, "", {})
    shown = replies.support_to_json(support)
    assert (shown["supported"], shown["volume_root"]) == (True, "/vol")
    refused = ShareSupport(
        Share("tmp", "/tmp", False),
        "",
        None,
        HResult.FSRVP_E_NOT_SUPPORTED,
        "tmpfs",
        {"btrfs": "not btrfs"},
    )
    shown = replies.support_to_json(refused)
    assert not shown["supported"]
    assert shown["result"] == "FSRVP_E_NOT_SUPPORTED (0x8004230c)"
    assert (shown["refusals"], shown["provider"]) == ({"btrfs": "not btrfs"}, None)


def test_an_event() -> None:
    shown = replies.event_to_json(1.5, BY_NAME["set-removed"], "gone", {"set": SET_ID})
    expected = {"time": 1.5, "id": 302, "event": "set-removed", "text": "gone"}
    assert shown == {**expected, "fields": {"set": SET_ID}}


def test_a_kept_snapshot_of_a_complete_set_is_not_removed_with_it() -> None:
    kept = recovered_set()
    kept.shadow_copy_list[0].keep = True
    found = replies.removal_to_json(kept, done=True)
    assert (found["snapshots"], found["kept"]) == ([], [SNAPSHOT.root])
