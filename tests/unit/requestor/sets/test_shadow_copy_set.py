"""What users get: UNC, path, time, in the order in which they asked."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from fsrvpd import filetime
from fsrvpd.requestor.ports import SetRecord, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet, copies_of
from tests.unit.requestor.protocol.test_server_set import record, root

BELOW = ShareRoot("\\\\nas\\data\\a\\b", "\\\\nas\\data", "nas", "data", "a\\b")
MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)


def with_copies(*roots: ShareRoot, **fields: str) -> SetRecord:
    created = filetime.from_unix(MOMENT.timestamp())
    copies = [ShadowCopyRecord(bytes(16), each, f"{each.share}@{{1}}", created) for each in roots]
    return record(copies=tuple(copies), **fields)


def test_a_copy_has_a_unc_a_path_and_a_time() -> None:
    [copy] = copies_of([with_copies(BELOW)])
    assert copy.unc == "\\\\nas\\data@{1}"
    assert copy.path == "\\\\nas\\data@{1}\\a\\b"
    assert copy.created == MOMENT
    [whole] = copies_of([with_copies(root())])
    assert whole.path == whole.unc


def test_a_copy_lies_on_the_owner() -> None:
    [copy] = copies_of([with_copies(root(), owner="node1")])
    assert copy.unc == "\\\\node1\\data@{1}"


@pytest.mark.parametrize("created", [None, 0, 2**64 - 1])
def test_a_time_that_no_calendar_has(created: int) -> None:
    each = with_copies(root())
    copies = (each.copies[0]._replace(created=created),)
    assert copies_of([each._replace(copies=copies)])[0].created is None


def test_copies_that_are_not_exposed_have_no_name() -> None:
    each = with_copies(root())
    copies = (each.copies[0]._replace(shadow_share=None),)
    assert copies_of([each._replace(copies=copies)]) == []


def test_a_set_can_be_kept_later() -> None:
    done: list[str] = []
    first, other = with_copies(root("a")), with_copies(root("a"), pid=0)
    created = ShadowCopySet(
        [first],
        [root("a")],
        lambda each: done.append("deleted"),
        lambda: done.append("released"),
        keep=lambda records: [other],
        kept=False,
    )
    with created:
        created.keep()
    assert created.kept
    assert created.records == (other,)
    assert done == ["released"]


@pytest.mark.parametrize("kept", [False, True])
def test_a_set_is_deleted_at_the_end_of_its_block_unless_it_is_kept(kept: bool) -> None:
    done: list[str] = []
    records = [with_copies(root("b")), with_copies(root("a"))]
    created = ShadowCopySet(
        records,
        [root("a"), root("b")],
        lambda each: done.append("deleted"),
        lambda: done.append("released"),
        kept=kept,
    )
    with created:
        assert [copy.root.share for copy in created.copies] == ["a", "b"]
        assert done == []
    assert done == (["released"] if kept else ["deleted", "released"])
