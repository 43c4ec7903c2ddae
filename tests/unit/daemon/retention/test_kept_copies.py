"""Which copies are kept, what is to become of them, and what nothing deletes."""

from __future__ import annotations

from typing import Any, Callable, Optional

import pytest

from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.retention.kept_copies import (
    LOST,
    SILENT,
    KeptCopy,
    Owner,
    evaluated,
    kept_copies,
    oldest_to_give_up,
)
from fsrvpd.daemon.retention.rules import DAY, Rules
from fsrvpd.errors import ConfigError
from fsrvpd.protocol.exports import key_of
from fsrvpd.protocol.model import NO_SET, ShadowCopySet, Status
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot
from tests.unit.daemon.control.examples import COPY_ID, SET_ID, recovered_set

NOW = 1_000_000.0
OWNER = Owner("NAS", "state", {})
KEY = key_of("btrfs:1", "data", "data")


def found(number: int, **changed: Any) -> FoundSnapshot:
    """Copy `number` was made that many days before NOW."""
    created = NOW - number * DAY
    snapshot = Snapshot("btrfs", "btrfs:1", f"/vol/.fsrvpd/{number}", "", created)
    given = FoundSnapshot(
        snapshot, f"{{set {number}}}", f"{{{number}}}", "data", "nas", True, "state", "data"
    )
    return given._replace(**changed)


def listed(
    *copies: FoundSnapshot, sets: Optional[list[ShadowCopySet]] = None, **changed: Any
) -> Any:
    inventory = Inventory(
        copies, frozenset(), {}, frozenset(), {}, {}, directories={KEY: "/vol/data"}
    )
    owner = changed.pop("owner", OWNER)
    return kept_copies(inventory._replace(**changed), sets or [], owner)


def evaluate(
    copies: list[KeptCopy], rules: Rules, exists: Callable[[KeptCopy], bool] = lambda copy: True
) -> list[tuple[str, str]]:
    """Numbers and why they are surplus."""
    result = evaluated(copies, lambda share: rules, exists, NOW)
    return [(each.copy_id, each.surplus) for each in result if each.surplus]


def test_only_kept_copies_are_listed_newest_first() -> None:
    copies = listed(found(2), found(1), found(3, keep=False), found(4, shadow_copy_set_id=NO_SET))
    assert [each.copy_id for each in copies] == ["{1}", "{2}"]
    assert {each.status for each in copies} == {"kept"}
    assert copies[0].export is not None
    assert copies[0].export.directory == "/vol/data"


@pytest.mark.parametrize(
    ("changed", "never", "reason"),
    [
        ({"server": "other"}, True, "`fsrvpctl fsrvpd prune --server other --dry-run` says"),
        ({"readable": False}, True, "another version"),
        ({"state": "lost"}, False, "`fsrvpctl fsrvpd delete-kept '{1}'` deletes it"),
        ({"share": "gone"}, False, "check-path 'gone'"),
        ({"path": "moved"}, False, "leads to another directory"),
    ],
)
def test_what_is_not_surely_ours_is_left_alone(
    changed: dict[str, Any], never: bool, reason: str
) -> None:
    [copy] = listed(found(1, **changed))
    assert (copy.status, copy.never) == ("left", never)
    assert reason in copy.reason
    assert evaluate([copy, *listed(found(0))], Rules(last=1)) == []


def test_what_another_node_shows_is_not_deleted_whatever_asks() -> None:
    other = found(1, state="of another node")
    seen = {"shared": frozenset([other]), "shares": {"data@{1}": "{1}"}}
    [copy] = listed(other, **seen)
    assert (copy.status, copy.never) == ("left", True)
    assert "another node" in copy.reason
    [copy] = listed(other, **{**seen, "shares": {}})
    assert (copy.status, copy.never) == ("left", False)


def test_a_volume_that_no_share_names_is_left_alone() -> None:
    [copy] = listed(found(1), unclaimed=frozenset([found(1)]))
    assert copy.status == "left"


@pytest.mark.parametrize("status", Status)
def test_a_copy_of_a_set_is_listed_when_it_will_outlive_it(status: Status) -> None:
    of_set = recovered_set()
    of_set.status, of_set.shadow_copy_list[0].keep = status, True
    copies = listed(found(1, shadow_copy_id=COPY_ID), sets=[of_set])
    if status is Status.RECOVERED:
        assert (copies[0].status, copies[0].reason) == ("exposed", f"its set {SET_ID} exists")
        assert copies[0].never
    else:
        assert copies == []


def test_a_held_copy_is_not_deleted_whatever_asks() -> None:
    [copy] = listed(found(1), owner=OWNER._replace(kept={"{1}": True, "{2}": False}))
    assert (copy.status, copy.never) == ("held", True)
    assert "release-set '{1}'" in copy.reason
    assert evaluate([*listed(found(0)), copy], Rules(last=1, days=1)) == []


def test_the_rules_of_the_share_decide() -> None:
    copies = listed(*(found(number) for number in range(5)))
    assert evaluate(copies, Rules()) == []
    [(first, why), (second, _)] = evaluate(copies, Rules(last=3))
    assert (first, second) == ("{3}", "{4}")
    assert "no fsrvp:keep option" in why
    [(old, why)] = evaluate(copies, Rules(days=3))
    assert old == "{4}"
    assert why == "it is older than fsrvp:keep days = 3"


def test_the_newest_is_never_deleted() -> None:
    copies = listed(found(90), found(80))
    assert evaluate(copies, Rules(days=1)) == [("{90}", "it is older than fsrvp:keep days = 1")]


def test_a_mark_without_a_snapshot_is_no_copy() -> None:
    """After a power cut it may be all that is left: it must not be the last one."""
    copies = listed(*(found(number) for number in range(4)))
    assert evaluate(copies, Rules(last=1), lambda copy: copy.copy_id not in ("{0}", "{1}")) == [
        ("{3}", "no fsrvp:keep option of its share wants it")
    ]
    result = evaluated(copies, lambda share: Rules(last=2), lambda copy: copy.copy_id != "{1}", NOW)
    assert {each.copy_id: each.reason for each in result}["{1}"] == LOST
    assert [each.copy_id for each in result if each.surplus] == ["{3}"]
    assert evaluate(copies, Rules(last=1), lambda copy: False) == []


def test_of_a_copy_that_its_storage_does_not_speak_of_nothing_is_said() -> None:
    """It may be there, and does not count as the newest."""
    copies = listed(*(found(number) for number in range(3)))
    answers = {"{0}": None, "{1}": True, "{2}": True}
    result = evaluated(copies, lambda share: Rules(last=1), lambda copy: answers[copy.copy_id], NOW)
    assert [(each.reason, bool(each.surplus)) for each in result] == [
        (SILENT, False),
        ("", False),
        ("", True),
    ]


def test_a_copy_of_the_future_is_neither_counted_nor_deleted() -> None:
    copies = listed(found(-1), found(1), found(2))
    assert evaluate(copies, Rules(last=1)) == [
        ("{2}", "no fsrvp:keep option of its share wants it")
    ]


def test_shares_are_evaluated_apart_and_without_readable_options_not_at_all() -> None:
    other = key_of("btrfs:1", "home", "home")
    homes = [found(number, share="home", path="home") for number in (6, 7)]
    copies = listed(found(1), found(2), *homes, directories={KEY: "/vol/data", other: "/vol/home"})
    assert [each for each, _ in evaluate(copies, Rules(last=1))] == ["{2}", "{7}"]

    def rules_of(share: str) -> Rules:
        if share == "home":
            raise ConfigError("fsrvp:keep daily = x: want a whole number")
        return Rules(last=1)

    result = evaluated(copies, rules_of, lambda copy: True, NOW)
    assert [each.copy_id for each in result if each.surplus] == ["{2}"]
    assert [each.status for each in result if each.found.share == "home"] == ["left", "left"]


def test_the_oldest_of_a_volume_is_given_up_first_and_never_the_newest() -> None:
    copies = list(evaluated(listed(*map(found, range(3))), lambda share: Rules(), bool, NOW))
    oldest = oldest_to_give_up(copies, "btrfs:1")
    assert oldest is not None
    assert oldest.copy_id == "{2}"
    assert oldest_to_give_up(copies, "btrfs:2") is None
    assert oldest_to_give_up(copies[:1], "btrfs:1") is None
