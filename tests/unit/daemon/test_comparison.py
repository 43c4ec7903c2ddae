"""The three truths held against each other, on values alone."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.comparison import Doubt, Finding, Known, losses, strays, volume_of
from fsrvpd.daemon.survey import Survey
from fsrvpd.protocol.model import NO_SET, MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import Found, Share, SharePlace, Snapshot

SET, COPY = b"s" * 16, b"c" * 16
NAME = f"data@{format_guid(COPY)}"
PATH = "/vol/.fsrvpd/one"
SNAPSHOT = Snapshot("btrfs", "btrfs:1", PATH, PATH, 1000.0)
FOUND = Found(SNAPSHOT, format_guid(SET), format_guid(COPY), "data", "NAS", state="ours")
PLACE = SharePlace(Share("data", "/vol", False), "btrfs:1", "/vol", "btrfs", "/vol")
SURE = Doubt("nas", "ours", everything=False)
NOTHING = Known.of([], [])


def survey(*found: Found, shares: bool = True, looked_at: bool = True, **more: Any) -> Survey:
    names = {NAME: format_guid(COPY)} if shares else {}
    paths = {} if found else dict.fromkeys(names, PATH)
    roots = frozenset(["/vol"] if looked_at else [])
    return Survey(found, frozenset(), {}, roots, names, paths)._replace(**more)


def shadow_copy_set() -> ShadowCopySet:
    mapped = MappedShare(r"\\nas\data", "data", "/vol", NAME, is_exposed=True)
    copy = ShadowCopy(COPY, PLACE, 0, [mapped], SNAPSHOT)
    return ShadowCopySet(SET, 0, "10.0.0.1", "admin", 0.0, Status.RECOVERED, [copy])


def judged(
    seen: Survey, known: Known = NOTHING, doubt: Doubt = SURE
) -> list[tuple[str, Optional[str]]]:
    return [(each.what, each.action) for each in strays(seen, known, doubt)]


BOTH_GO = [("stray share", "remove"), ("stray snapshot", "remove")]
BOTH_STAY = [("stray share", "keep"), ("stray snapshot", "keep")]


def test_strays_go_shares_first() -> None:
    assert judged(survey(FOUND)) == BOTH_GO


def test_what_a_set_knows_is_no_stray() -> None:
    assert judged(survey(FOUND), Known.of([shadow_copy_set()], [])) == []


def test_a_second_share_of_a_known_copy_is_a_stray() -> None:
    of = shadow_copy_set()
    of.shadow_copy_list[0].share_mapping_list.clear()
    assert judged(survey(FOUND), Known.of([of], [])) == [("stray share", "remove")]


def test_what_an_unreadable_set_may_know_is_no_stray() -> None:
    assert judged(survey(FOUND), Known.of([], [SET])) == []


def test_what_was_known_before_or_is_now_counts() -> None:
    known = Known.of([shadow_copy_set()], [])
    assert NOTHING.with_those_of(known) == known.with_those_of(NOTHING) == known


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        (FOUND._replace(server="OTHER"), SURE),
        (FOUND._replace(server="OTHER"), SURE._replace(everything=True)),
        (FOUND._replace(keep=True), SURE._replace(everything=True)),
        (FOUND._replace(state="another"), SURE),
        (FOUND._replace(state=""), SURE),
    ],
    ids=["another server's", "even when all go", "kept", "another state's", "nobody's"],
)
def test_what_is_in_doubt_stays_with_its_share(found: Found, doubt: Doubt) -> None:
    assert judged(survey(found), doubt=doubt) == BOTH_STAY


@pytest.mark.parametrize("everything", [False, True])
def test_what_no_share_and_no_set_leads_to_stays(everything: bool) -> None:
    seen = survey(FOUND, elsewhere=frozenset([FOUND]))
    assert judged(seen, doubt=SURE._replace(everything=everything)) == BOTH_STAY


@pytest.mark.parametrize("state", ["another", ""])
def test_an_admin_may_remove_what_another_state_knew(state: str) -> None:
    found = FOUND._replace(state=state)
    assert judged(survey(found), doubt=SURE._replace(everything=True)) == BOTH_GO


def test_a_share_whose_snapshot_is_surely_gone_goes() -> None:
    assert judged(survey()) == [("stray share", "remove")]


def test_a_share_of_a_volume_that_was_not_seen_stays() -> None:
    assert judged(survey(looked_at=False)) == [("stray share", "keep")]
    assert judged(survey(paths={})) == [("stray share", "keep")]


OF_SAMBA = FOUND._replace(shadow_copy_set_id=NO_SET, keep=True, state="")


def test_what_samba_had_taken_goes_when_an_admin_wants_it_and_no_share_leads_to_it() -> None:
    doubt = SURE._replace(everything=True)
    seen = survey(OF_SAMBA, shares=False)
    assert judged(seen) == [("stray snapshot", "keep")]
    assert judged(seen, doubt=doubt) == [("stray snapshot", "remove")]
    assert judged(seen, doubt=doubt._replace(server="another")) == [("stray snapshot", "keep")]
    assert judged(seen._replace(exported=frozenset([format_guid(COPY)])), doubt=doubt) == []
    fresh = NOTHING._replace(copies=frozenset([format_guid(COPY)]))
    assert judged(seen, fresh, doubt) == []


def lost(seen: Survey) -> list[Finding]:
    return list(losses(seen, [shadow_copy_set()]))


def test_a_set_that_has_all_lacks_nothing() -> None:
    assert lost(survey(FOUND)) == []
    assert lost(survey(FOUND, shares={NAME.upper(): format_guid(COPY)})) == []


def test_a_share_is_made_again_while_its_snapshot_stands() -> None:
    [finding] = lost(survey(FOUND, shares=False))
    assert (finding.action, finding.names) == ("make again", (NAME,))


def test_a_share_whose_deletion_has_begun_is_not_made_again() -> None:
    of = shadow_copy_set()
    of.shadow_copy_list[0].share_mapping_list[0].deleting = True
    assert list(losses(survey(FOUND, shares=False), [of])) == []


def test_a_copy_without_its_snapshot_is_dropped() -> None:
    [finding] = lost(survey(shares=False, gone=frozenset([SNAPSHOT])))
    assert (finding.action, finding.shadow_copy_id) == ("drop", COPY)


def test_a_volume_that_is_away_costs_nothing() -> None:
    volume = volume_of(shadow_copy_set().shadow_copy_list[0])
    [finding] = lost(survey(shares=False, absent={volume: "/vol: not mounted"}))
    assert (finding.what, finding.action) == ("volume absent", "keep")
