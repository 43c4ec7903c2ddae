"""What is a problem, and until when."""

from __future__ import annotations

from typing import Any

from fsrvpd.daemon.status import problems
from fsrvpd.daemon.status.problems import DAY, Past
from fsrvpd.daemon.status.shares import (
    NOT_READY,
    OFF,
    PENDING,
    READY,
    SILENT,
    Overview,
    ShareState,
    VolumeState,
)
from fsrvpd.store.history_records import (
    COMPLETED,
    FAILED,
    RECENT,
    Backup,
    RefusalRecord,
    SetRecord,
)

NOW = 2e9
REFUSAL = RefusalRecord(
    "call-refused", "a", "c", "IsPathSupported", "FSRVP_E_NOT_SUPPORTED", "Data", "ext4", "", 0, NOW
)
NOTHING = Past([], {}, {}, [])


def shares(**states: str) -> Overview:
    return Overview([ShareState(*each, reason="/srv") for each in states.items()], [])


def names(found: Any) -> list[tuple[str, str]]:
    return [(each.what, each.object) for each in found]


def test_a_share_that_nobody_misses_is_none() -> None:
    overview = shares(data=NOT_READY, other=READY, off=OFF, later=PENDING)
    assert names(problems.of_shares(overview, NOTHING, NOW)) == []
    expected = [("share-not-ready", "data")]
    missed = Past([], {}, {"data": Backup("data", 1.0, 1.0, "{1}")}, [])
    assert names(problems.of_shares(overview, missed, NOW)) == expected
    wanted = Past([], {}, {}, [REFUSAL])
    assert names(problems.of_shares(overview, wanted, NOW)) == expected
    assert names(problems.of_shares(overview, wanted, NOW + RECENT + 1)) == []
    denied = Past([], {}, {}, [REFUSAL._replace(result="E_ACCESSDENIED")])
    assert names(problems.of_shares(overview, denied, NOW)) == []


def test_no_share_at_all_is_one_and_so_is_storage_that_hangs() -> None:
    overview = shares(data=NOT_READY, off=OFF)
    assert names(problems.of_shares(overview, NOTHING, NOW)) == [("no-share-ready", "")]
    hung = shares(data=SILENT, other=READY)
    assert names(problems.of_shares(hung, NOTHING, NOW)) == [("storage-silent", "data")]
    unknown = Overview([], [], "no smb.conf")
    assert names(problems.of_shares(unknown, NOTHING, NOW)) == [("shares-unknown", "")]


def record(outcome: str, started: float, *names_: str) -> SetRecord:
    return SetRecord("{1}", "c", "a", names_, started, outcome, 1, "why")


def test_only_the_last_set_of_a_share_counts() -> None:
    completed, failed = record(COMPLETED, NOW - 50, "a", "b"), record(FAILED, NOW - 100, "A", "C")
    long_ago = record(FAILED, NOW - RECENT - 1, "d")
    past = Past([], {"a": completed, "b": completed, "c": failed, "d": long_ago}, {}, [])
    [found] = problems.of_backups(past, NOW)
    assert (found.what, found.object) == ("backup-failed", "C")
    assert found.text == "the last backup of share C failed: why"


def test_a_backup_that_nobody_begins_is_one_where_it_may_be_so_old() -> None:
    overview = shares(Data=READY, lost=NOT_READY, new=READY, never=READY, off=OFF)
    old = Backup("", NOW - 40 * DAY, NOW, "{1}")
    new = old._replace(committed=NOW - 1.9 * DAY)
    past = Past([], {}, {"data": old, "lost": old, "new": new, "off": old, "gone": old}, [])
    found = list(problems.of_ages(overview, past, 2, NOW))
    assert names(found) == [("backup-too-old", "Data"), ("backup-too-old", "lost")]
    assert "40.0 days old" in found[0].text
    assert names(problems.of_ages(overview, past, 0, NOW)) == []


def test_who_has_made_sets_and_is_refused_counts_for_a_day() -> None:
    """Others can cause refusals as they like."""
    denied = REFUSAL._replace(result="E_ACCESSDENIED", account="LAB\\clerk")
    makers = [REFUSAL, denied, denied._replace(account="a"), denied._replace(account="b")]
    made = record(COMPLETED, NOW, "x")
    past = Past([made], {"y": made._replace(account="b")}, {}, makers)
    expected = [("caller-refused", "a"), ("caller-refused", "b")]
    assert names(problems.of_callers(past, NOW)) == expected
    assert names(problems.of_callers(past, NOW + DAY + 1)) == []


def test_a_volume_that_is_nearly_full() -> None:
    volumes = [
        VolumeState("/a", 5, 100, 0, 0, None),
        VolumeState("/b", 4, 100, 0, 0, None),
        VolumeState("/c", 0, 0, 0, 0, None),
    ]
    [found] = problems.of_volumes(Overview([], volumes))
    assert found.text == "/b has 4.0% of its space left"
