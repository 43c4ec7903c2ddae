"""State, storage and registry compared, on values alone."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.reconciliation.discrepancies import (
    Discrepancy,
    KnownState,
    RetentionPolicy,
    missing,
    mounts,
    orphans,
    volume_of,
)
from fsrvpd.daemon.reconciliation.discrepancies import silent as silences
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.protocol.exports import Export, key_of
from fsrvpd.protocol.model import NO_SET, MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import FoundSnapshot, Share, ShareLocation, Snapshot

SET, COPY = b"s" * 16, b"c" * 16
NAME = f"data@{format_guid(COPY)}"
PATH = "/vol/.fsrvpd/one"
SNAPSHOT = Snapshot("btrfs", "btrfs:1", PATH, PATH, 1000.0)
FOUND = FoundSnapshot(SNAPSHOT, format_guid(SET), format_guid(COPY), "data", "NAS", state="ours")
PLACE = ShareLocation(Share("data", "/vol", False), "btrfs:1", "/vol", "btrfs", "/vol")
SURE = RetentionPolicy("nas", "ours", everything=False)
NOTHING = KnownState.of([], [])


def inventory(
    *found: FoundSnapshot, shares: bool = True, scanned: bool = True, **more: Any
) -> Inventory:
    names = {NAME: format_guid(COPY)} if shares else {}
    paths = {} if found else dict.fromkeys(names, PATH)
    roots = frozenset(["/vol"] if scanned else [])
    mounts = [export.mount_point for export in shadow_copy_set().exports()]
    return Inventory(found, frozenset(), {}, roots, names, paths, mounts=mounts)._replace(**more)


def shadow_copy_set() -> ShadowCopySet:
    mapped = MappedShare(r"\\nas\data", "data", "/vol", NAME, is_exposed=True)
    copy = ShadowCopy(COPY, PLACE, 0, [mapped], SNAPSHOT)
    return ShadowCopySet(SET, 0, "10.0.0.1", "admin", 0.0, Status.RECOVERED, [copy])


def planned(
    seen: Inventory, known: KnownState = NOTHING, policy: RetentionPolicy = SURE
) -> list[tuple[str, Optional[str]]]:
    return [(each.kind, each.action) for each in orphans(seen, known, policy)]


BOTH_GO = [("orphan-share", "remove"), ("orphan-snapshot", "remove")]
BOTH_STAY = [("orphan-share", "keep"), ("orphan-snapshot", "keep")]


def test_orphans_are_removed_shares_first() -> None:
    assert planned(inventory(FOUND)) == BOTH_GO


def test_what_a_set_knows_is_no_orphan() -> None:
    assert planned(inventory(FOUND), KnownState.of([shadow_copy_set()], [])) == []


def test_a_second_share_of_a_known_copy_is_an_orphan() -> None:
    one = shadow_copy_set()
    one.shadow_copy_list[0].share_mapping_list.clear()
    assert planned(inventory(FOUND), KnownState.of([one], [])) == [("orphan-share", "remove")]


def test_what_an_unreadable_set_may_know_is_no_orphan() -> None:
    assert planned(inventory(FOUND), KnownState.of([], [SET])) == []


def test_what_was_known_before_or_is_now_counts() -> None:
    known = KnownState.of([shadow_copy_set()], [])
    assert NOTHING.union(known) == known.union(NOTHING) == known


@pytest.mark.parametrize(
    ("found", "policy"),
    [
        (FOUND._replace(server="OTHER"), SURE),
        (FOUND._replace(server="OTHER"), SURE._replace(everything=True)),
        (FOUND._replace(keep=True), SURE._replace(everything=True)),
        (FOUND._replace(state="another"), SURE),
        (FOUND._replace(state=""), SURE),
        (FOUND._replace(readable=False), SURE._replace(everything=True)),
    ],
    ids=["other server", "even when all go", "kept", "other state", "nobody's", "other version"],
)
def test_what_is_in_doubt_stays_with_its_share(
    found: FoundSnapshot, policy: RetentionPolicy
) -> None:
    assert planned(inventory(found), policy=policy) == BOTH_STAY


@pytest.mark.parametrize("everything", [False, True])
def test_what_no_share_and_no_set_leads_to_stays(everything: bool) -> None:
    seen = inventory(FOUND, unclaimed=frozenset([FOUND]))
    assert planned(seen, policy=SURE._replace(everything=everything)) == BOTH_STAY


@pytest.mark.parametrize("even_shared", [False, True])
@pytest.mark.parametrize("is_shared", [False, True])
def test_what_an_earlier_name_of_this_server_has_left(is_shared: bool, even_shared: bool) -> None:
    """Another server may have that name now, and use the same storage."""
    found = FOUND._replace(server="OLD", state="lost")
    policy = SURE._replace(
        everything=True,
        former="old",
        even_shared=even_shared,
        shared=frozenset([found] if is_shared else []),
    )
    seen = inventory(found)
    assert planned(seen, policy=policy) == (BOTH_STAY if is_shared and not even_shared else BOTH_GO)
    assert planned(inventory(found._replace(keep=True)), policy=policy) == BOTH_STAY
    assert planned(inventory(found._replace(server="")), policy=policy._replace(former="")) == (
        BOTH_STAY
    )
    assert planned(inventory(found, unclaimed=frozenset([found])), policy=policy) == BOTH_STAY


@pytest.mark.parametrize("state", ["another", ""])
def test_an_admin_may_remove_what_another_state_knew(state: str) -> None:
    found = FOUND._replace(state=state)
    assert planned(inventory(found), policy=SURE._replace(everything=True)) == BOTH_GO


@pytest.mark.parametrize("found", [FOUND, FOUND._replace(shadow_copy_set_id=NO_SET)])
@pytest.mark.parametrize("everything", [False, True])
def test_what_another_node_may_know_stays(everything: bool, found: FoundSnapshot) -> None:
    """All nodes of a cluster have one name, and each has a state file."""
    found = found._replace(state="of another node")
    seen = inventory(found, shared=frozenset([found]))
    policy = SURE._replace(everything=everything, shared=seen.shared)
    assert planned(seen, policy=policy) == BOTH_STAY
    assert all("prune --even-shared" in each.reason for each in orphans(seen, NOTHING, policy))
    surely = policy._replace(everything=True, even_shared=True)
    assert planned(seen, policy=surely) == BOTH_GO


def test_what_this_state_knew_goes_on_shared_storage_too() -> None:
    policy = SURE._replace(shared=frozenset([FOUND]))
    assert planned(inventory(FOUND, shared=policy.shared), policy=policy) == BOTH_GO


def test_a_share_whose_snapshot_another_node_may_have_stays() -> None:
    """Both may have been made while the inventory was taken."""
    seen = inventory(shared_roots=frozenset(["/vol"]))
    policy = SURE._replace(everything=True)
    assert planned(seen, policy=policy) == [("orphan-share", "keep")]
    surely = policy._replace(even_shared=True)
    assert planned(seen, policy=surely) == [("orphan-share", "remove")]


def test_a_share_whose_snapshot_is_surely_gone_goes() -> None:
    assert planned(inventory()) == [("orphan-share", "remove")]


def test_a_share_of_a_volume_that_was_not_seen_stays() -> None:
    assert planned(inventory(scanned=False)) == [("orphan-share", "keep")]
    assert planned(inventory(paths={})) == [("orphan-share", "keep")]


OF_SAMBA = FOUND._replace(shadow_copy_set_id=NO_SET, keep=True, state="")


def test_what_samba_had_taken_goes_when_an_admin_wants_it_and_no_share_leads_to_it() -> None:
    policy = SURE._replace(everything=True)
    seen = inventory(OF_SAMBA, shares=False)
    assert planned(seen) == [("orphan-snapshot", "keep")]
    assert planned(seen, policy=policy) == [("orphan-snapshot", "remove")]
    assert planned(seen, policy=policy._replace(server="another")) == [("orphan-snapshot", "keep")]
    assert planned(seen._replace(exported=frozenset([format_guid(COPY)])), policy=policy) == []
    fresh = NOTHING._replace(copies=frozenset([format_guid(COPY)]))
    assert planned(seen, fresh, policy) == []


def lost(seen: Inventory) -> list[Discrepancy]:
    return list(missing(seen, [shadow_copy_set()]))


def test_a_set_that_has_all_lacks_nothing() -> None:
    assert lost(inventory(FOUND)) == []
    assert lost(inventory(FOUND, shares={NAME.upper(): format_guid(COPY)})) == []


def test_a_share_is_recreated_while_its_snapshot_stands() -> None:
    [finding] = lost(inventory(FOUND, shares=False))
    assert (finding.action, finding.names) == ("recreate", (NAME,))


def test_a_share_whose_deletion_has_begun_is_not_recreated() -> None:
    one = shadow_copy_set()
    one.shadow_copy_list[0].share_mapping_list[0].deleting = True
    assert list(missing(inventory(FOUND, shares=False), [one])) == []


def test_a_copy_without_its_snapshot_is_forgotten() -> None:
    [finding] = lost(inventory(shares=False, gone=frozenset([SNAPSHOT])))
    assert (finding.action, finding.shadow_copy_id) == ("forget", COPY)


def test_a_volume_that_is_away_costs_nothing() -> None:
    volume = volume_of(shadow_copy_set().shadow_copy_list[0])
    [finding] = lost(inventory(shares=False, unavailable={volume: "/vol: not mounted"}))
    assert (finding.kind, finding.action) == ("volume-absent", "keep")


def test_a_volume_that_is_away_is_told_once_for_all_its_sets() -> None:
    sets = [shadow_copy_set(), shadow_copy_set()]
    volume = volume_of(sets[0].shadow_copy_list[0])
    evicted = "/vol: cannot open the directory: …; unmount it and mount it anew"
    seen = inventory(shares=False, unavailable={volume: evicted})
    [finding] = missing(seen, sets)
    assert finding.reason.startswith(f"{evicted}; then run fsrvpctl fsrvpd prune")


@pytest.mark.parametrize("silent", ["/vol", "/elsewhere"])
def test_while_storage_is_silent_nothing_that_may_be_there_is_removed(silent: str) -> None:
    """A share or mount whose snapshot was not found may be of the silent storage."""
    seen = inventory(silent=frozenset([silent]), scanned=True)
    assert planned(seen) == [("orphan-share", "keep")]
    assert list(mounts(seen, NOTHING, SURE)) == []
    [finding] = silences(seen)
    assert (finding.kind, finding.object, finding.action) == ("volume-silent", silent, "keep")


def test_a_set_on_silent_storage_lacks_nothing() -> None:
    volume = volume_of(shadow_copy_set().shadow_copy_list[0])
    unavailable = {volume: "its storage does not answer"}
    seen = inventory(shares=False, mounts=[], unavailable=unavailable)
    assert lost(seen._replace(silent=frozenset(["/vol"]))) == []
    assert [each.action for each in lost(inventory(shares=False, silent=frozenset(["/x"])))] == [
        "recreate"
    ]


KEPT = FOUND._replace(keep=True, path="", handle="01" * 8)
KEY = key_of("btrfs:1", "", "data")


def test_a_kept_snapshot_of_an_earlier_name_says_how_it_is_deleted() -> None:
    policy = RetentionPolicy("new", "ours", everything=True, former="old")
    why = policy.reason_to_keep(FOUND._replace(server="OLD", keep=True))
    assert "when this server was OLD" in why
    assert "tools of its file system" in why


MOUNT_POINT = Export("data", "/vol", "", SNAPSHOT).mount_point


def mounts_of(seen: Inventory, known: KnownState = NOTHING) -> list[tuple[str, str, str]]:
    return [(each.kind, each.object, each.action) for each in mounts(seen, known, SURE)]


def test_a_mount_is_an_orphan_when_its_snapshot_is_gone() -> None:
    gone = [("orphan-mount", MOUNT_POINT, "remove")]
    assert mounts_of(inventory()) == gone
    real = f"{MOUNT_POINT.rpartition('/')[0]}/fsrvp-{format_guid(COPY)}_GMT-2026.11.21-08.30.00"
    known = KnownState.of([shadow_copy_set()], [])
    assert mounts_of(inventory(FOUND, mounts=[real])) == []
    assert mounts_of(inventory(mounts=[real]), known) == []
    assert mounts_of(inventory(mounts=[real]), KnownState.of([], [SET])) == []


def test_a_kept_snapshot_is_mounted_again_while_its_share_exists() -> None:
    again = [("mount-gone", MOUNT_POINT, "mount")]
    directories = {KEY: "/vol"}
    bare = inventory(KEPT, shares=False, mounts=[], directories=directories)
    assert mounts_of(bare) == again
    of_another_version = bare._replace(found=[KEPT._replace(readable=False)])
    assert mounts_of(of_another_version) == []
    wanted = Export("data", "/vol", "", SNAPSHOT, handle=KEPT.handle)
    assert next(mounts(bare, NOTHING, SURE)).export == wanted
    assert mounts_of(bare._replace(directories={})) == []
    assert mounts_of(bare._replace(found=[KEPT._replace(keep=False)])) == []
    elsewhere = inventory(FOUND._replace(server="X"), mounts=[], directories=directories)
    assert mounts_of(elsewhere) == again  # it is kept, and a share exports it
    assert mounts_of(bare, KnownState.of([shadow_copy_set()], [])) == []


def test_the_mounts_of_a_set_are_missed_after_a_reboot() -> None:
    [lost] = missing(inventory(FOUND, mounts=[]), [shadow_copy_set()])
    assert (lost.kind, lost.object, lost.action) == ("mount-gone", MOUNT_POINT, "mount")
    assert lost.shadow_copy_set_id == SET
    committed = shadow_copy_set()
    committed.status = Status.COMMITTED
    committed.shadow_copy_list[0].share_mapping_list[0].is_exposed = False
    assert list(missing(inventory(FOUND, mounts=[]), [committed])) == []
