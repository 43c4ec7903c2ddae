"""Replies for people: identifiers become words, and missing values are not shown."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fsrvpd.ctl import render
from fsrvpd.daemon.reconciliation import discrepancies


@pytest.mark.parametrize(
    ("seconds", "age"), [(-5, "0 min"), (59, "0 min"), (60, "1 min"), (7200, "2 h"), (90000, "1 d")]
)
def test_ages(seconds: int, age: str) -> None:
    answer = {"share": "data", "created": time.time() - seconds, "owner": "none", "snapshot": "/s"}
    head, row, path = render.list_snapshots([answer]).splitlines()
    assert head.split() == ["SHARE", "AGE", "OWNER"]
    assert row.split() == ["data", *age.split(), "nobody:", "see", "prune"]
    assert path == "  /s"


def test_every_identifier_has_words() -> None:
    for kind in discrepancies.KINDS:
        for action in ("remove", "forget", "recreate", "mount", "keep"):
            one = {"what": kind, "object": "it", "action": action, "reason": "because"}
            first, second = render.prune([one]).splitlines()
            assert first != f"{kind}: it"
            assert second.endswith(": because")


def test_identifiers_of_a_newer_daemon_are_shown_as_they_are() -> None:
    one = {"what": "share-moved", "object": "it", "action": "wait", "reason": "because"}
    assert render.prune([one]) == "share-moved: it\n  wait: because"


def test_nothing_is_a_sentence() -> None:
    assert render.list_sets([]) == "no shadow copy sets"
    assert render.list_snapshots([]) == "no snapshots"
    assert render.prune([]) == "state, storage and registry agree"


@pytest.mark.parametrize(
    ("progress", "limit", "shown"),
    [
        (None, None, "(not created)"),
        (7, 50.0, "(being created: 7 files in 1.5 s, abandoned after 50 s)"),
        (7, None, "(being created: 7 files in 1.5 s)"),
    ],
)
def test_a_snapshot_that_is_not_there_yet(progress: Any, limit: Any, shown: str) -> None:
    copy = {
        "copy": "{C}",
        "provider": "reflink",
        "snapshot": None,
        "keep": True,
        "progress": progress and {"files": progress, "seconds": 1.5, "limit": limit},
        "shares": [{"share": "data", "shadow_copy_share": None, "exposed": False}],
    }
    answer = {"set": "{S}", "status": "Added", "context": "backup", "started": 0}
    lines = render.show_set({**answer, "account": "a", "client": "c", "copies": [copy]})
    assert f"  snapshot {shown}" in lines.splitlines()
    assert "  provider reflink, kept" in lines.splitlines()
    assert "        as (not exposed)" in lines.splitlines()


@pytest.mark.parametrize(("removed", "verb"), [(True, "removed"), (False, "would remove")])
def test_removals(removed: bool, verb: str) -> None:
    answer = {"set": "{S}", "removed": removed, "shares": ["data@{C}"], "snapshots": ["/s"]}
    answer["kept"] = ["/k"]
    assert render.removal(answer).splitlines() == [
        f"{verb} share data@{{C}}",
        f"{verb} snapshot /s",
        "kept snapshot /k",
        f"{verb} set {{S}}",
    ]


def test_events_and_steps() -> None:
    event = {"time": 0, "id": 200, "event": "call", "text": "", "fields": {"ms": 1.26, "opnum": 4}}
    assert render.event(event).endswith(" 200 call ms=1.3 opnum=4")
    assert render.progress(event) == render.event(event)
    assert render.progress({"step": "CommitShadowCopySet"}) == "CommitShadowCopySet"


def test_one_liners() -> None:
    assert render.ping({"pid": 7}) == "PONG from pid 7"
    assert render.debug_level({"pid": 7, "level": 3}) == "PID 7: all:3"
    assert render.shutdown({"pid": 7}) == "pid 7 shuts down"
    assert render.reload_config({"warnings": ["a", "b"]}) == "smb.conf is in force\na\nb"
    copied = render.self_test({"snapshot": "/s", "shadow_copy_share": "data@{C}"})
    assert copied == "copied to /s, shared as data@{C}"


def test_what_nothing_wants_is_not_wanted_by_delete() -> None:
    one = {
        "share": "data",
        "created": 0.0,
        "bytes": None,
        "copy": "{1}",
        "reason": "",
        "status": "kept",
    }
    head, row, _ = render.list_kept([{**one, "wanted_by": [], "surplus": True}]).splitlines()
    assert row[head.index("IS") :].split("  ")[0] == "to be deleted"
    assert row[head.index("WANTED BY") :] == "nothing"
