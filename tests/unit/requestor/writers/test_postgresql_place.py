"""Where a cluster lies, and which copies would not start."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.writers.ports import SharedTree, WriterFailed
from fsrvpd.requestor.writers.postgresql_place import Places, check_copies, find
from tests.unit.requestor.writers.postgresql_trees import (
    CLUSTER,
    CONTROL,
    HISTORY,
    SINCE,
    WAL,
    control,
    data_directory,
    share,
    tablespace,
)

WITH_TABLESPACE = CLUSTER._replace(tablespaces=(HISTORY,))


@pytest.mark.parametrize("path", ["srv\\nas\\pg\\main", "pg\\main", "main", ""])
def test_the_share_may_be_any_directory_above(path: str) -> None:
    places = find("pg", CLUSTER, SINCE, [share("other", {}), share("data", data_directory(path))])
    assert places.data.path == path
    assert places.data.shared.root.share == "data"
    assert places.are_in_one


def test_another_cluster_at_the_same_place_is_not_taken() -> None:
    other = {**data_directory(), "pg\\main\\global\\pg_control": b"\x07" + CONTROL[1:]}
    places = find("pg", CLUSTER, SINCE, [share("a", other), share("b", data_directory("main"))])
    assert places.data.shared.root.share == "b"


OTHERS = {
    "an older copy": control(checkpoint=SINCE.location - 1),
    "a standby": control(state=5),
    "a copy of a server that was stopped": control(state=1),
    "another timeline": control(timeline=4),
}


@pytest.mark.parametrize("found", OTHERS.values(), ids=OTHERS)
def test_what_has_the_same_identifier_is_not_taken(found: bytes) -> None:
    other = share("a", {**data_directory(), "pg\\main\\global\\pg_control": found})
    places = find("pg", CLUSTER, SINCE, [other, share("b", data_directory("main"))])
    assert places.data.shared.root.share == "b"
    with pytest.raises(WriterFailed, match="/srv/nas/pg/main is in none of the shares"):
        find("pg", CLUSTER, SINCE, [other])
    copy = share("b", {**data_directory("main"), "main\\global\\pg_control": found})
    with pytest.raises(WriterFailed, match="is not in the copy"):
        check_copies("pg", CLUSTER, places, [copy], alone=True)


def test_a_standby_is_found_by_its_state() -> None:
    standby = CLUSTER._replace(is_standby=True)
    files = {**data_directory("main"), "main\\global\\pg_control": control(state=5)}
    shares = [share("a", data_directory()), share("b", files)]
    places = find("pg", standby, SINCE, shares)
    assert places.data.shared.root.share == "b"


def test_a_later_checkpoint_is_the_cluster_too() -> None:
    files = {
        **data_directory(),
        "pg\\main\\global\\pg_control": control(checkpoint=SINCE.location + 1),
    }
    assert find("pg", CLUSTER, SINCE, [share("data", files)]).are_in_one


def test_a_tablespace_that_may_be_another_clusters() -> None:
    shares = [
        share("data", {**data_directory(), **tablespace("history")}),
        share("replica", tablespace("fast\\history")),
    ]
    error = (
        r"tablespace history .* may be \\\\nas\\replica\\fast\\history or \\\\nas\\data\\history"
    )
    with pytest.raises(WriterFailed, match=error):
        find("pg", WITH_TABLESPACE, SINCE, shares)


def test_a_cluster_in_none_of_the_shares() -> None:
    with pytest.raises(WriterFailed, match="/srv/nas/pg/main is in none of the shares"):
        find("pg", CLUSTER, SINCE, [share("data", {"pg\\main\\global\\pg_control": b"short"})])


def test_wal_elsewhere_is_not_in_one() -> None:
    places = find("pg", CLUSTER, SINCE, [share("data", data_directory(wal=False))])
    assert not places.are_in_one


def test_a_tablespace_in_the_same_share_is() -> None:
    files = {**data_directory(), **tablespace("fast\\history")}
    assert find("pg", WITH_TABLESPACE, SINCE, [share("data", files)]).are_in_one


def test_a_tablespace_in_another_share_is_not() -> None:
    shares = [share("data", data_directory()), share("fast", tablespace("history"))]
    places = find("pg", WITH_TABLESPACE, SINCE, shares)
    assert not places.are_in_one
    assert [place.path for _, place in places.tablespaces] == ["history"]


@pytest.mark.parametrize("files", [{}, tablespace("history", database="6")])
def test_a_tablespace_in_none_of_the_shares(files: dict[str, None]) -> None:
    with pytest.raises(WriterFailed, match="tablespace history /srv/fast/history is in none"):
        find("pg", WITH_TABLESPACE, SINCE, [share("data", data_directory()), share("fast", files)])


def found(*shares: SharedTree) -> Places:
    return find("pg", CLUSTER, SINCE, shares or [share("data", data_directory())])


def test_a_copy_that_starts() -> None:
    check_copies("pg", CLUSTER, found(), [share("data", data_directory())], alone=True)


def test_a_copy_without_the_wal_of_its_checkpoint() -> None:
    copy = share("data", data_directory(wal=False))
    with pytest.raises(
        WriterFailed, match="pg_wal, with the WAL from which it would recover, is not"
    ):
        check_copies("pg", CLUSTER, found(), [copy], alone=True)
    check_copies("pg", CLUSTER, found(), [copy], alone=False)


def test_a_copy_with_a_short_wal_file() -> None:
    copy = share("data", {**data_directory(), f"pg\\main\\pg_wal\\{WAL}": b"short"})
    with pytest.raises(WriterFailed, match="pg_wal"):
        check_copies("pg", CLUSTER, found(), [copy], alone=True)


def test_a_copy_of_each_file_is_of_no_one_moment() -> None:
    copy = share("data", data_directory(), first_id=100)
    with pytest.raises(WriterFailed, match=r'file by file.*set mode = "backup"'):
        check_copies("pg", CLUSTER, found(), [copy], alone=True)
    check_copies("pg", CLUSTER, found(), [copy], alone=False)


def test_a_copy_without_the_data_directory() -> None:
    with pytest.raises(
        WriterFailed, match="the data directory /srv/nas/pg/main is not in the copy"
    ):
        check_copies("pg", CLUSTER, found(), [share("data", {})], alone=False)


def test_a_share_without_a_copy() -> None:
    with pytest.raises(WriterFailed, match=r"\\nas\\data has no copy"):
        check_copies("pg", CLUSTER, found(), [share("other", {})], alone=False)


def test_a_copy_with_an_empty_mount_point_in_place_of_a_tablespace() -> None:
    shares = [share("data", {**data_directory(), **tablespace("fast\\history")})]
    places = find("pg", WITH_TABLESPACE, SINCE, shares)
    copies = [share("data", {**data_directory(), "fast\\history": None})]
    with pytest.raises(WriterFailed, match=r"the tablespace history .* is not in the copy"):
        check_copies("pg", WITH_TABLESPACE, places, copies, alone=True)
