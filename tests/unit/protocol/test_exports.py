from __future__ import annotations

import pytest

from fsrvpd.protocol.exports import ROOT, Export, below, directory_of_copies, key_for, key_in
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot

NAME = "fsrvp-{63636363-6363-6363-6363-636363636363}_GMT-2026.11.21-08.30.00"
SNAPSHOT = Snapshot("zfs", "zfs:1", f"/vol/.zfs/snapshot/{NAME}", "", 1.0)
EXPORT = Export("data", "/vol/inner", "inner", SNAPSHOT)


def location(name: str = "data", directory: str = "/vol/inner") -> ShareLocation:
    return ShareLocation(Share(name, directory, False), "zfs:1", "/vol", "zfs", directory)


def test_copies_of_a_share_are_beside_each_other() -> None:
    directory = directory_of_copies(location())
    assert EXPORT.mount_point == f"{directory}/{NAME}"
    assert directory == f"{ROOT}/{EXPORT.key}/copies"
    assert key_in(EXPORT.mount_point) == key_in(directory) == EXPORT.key == key_for(location())
    assert key_in("/vol/.zfs/snapshot") == key_in(ROOT) == ""


@pytest.mark.parametrize(
    "other",
    [
        EXPORT._replace(share="other"),
        EXPORT._replace(path="inner/x"),
        EXPORT._replace(snapshot=SNAPSHOT._replace(volume_name="zfs:2")),
    ],
)
def test_no_two_shares_or_directories_have_one_key(other: Export) -> None:
    assert other.key != EXPORT.key


def test_shares_that_samba_tells_apart_have_different_keys() -> None:
    assert EXPORT._replace(share="straße").key != EXPORT._replace(share="strasse").key


def test_samba_ignores_the_case_of_a_share_and_paths_may_be_of_any_bytes() -> None:
    assert EXPORT._replace(share="DATA").key == EXPORT.key
    assert EXPORT._replace(path="\udcff").key


@pytest.mark.parametrize(
    ("directory", "root", "expected"),
    [("/vol/a/b", "/vol", "a/b"), ("/vol", "/vol", ""), ("/a/b", "/", "a/b"), ("/", "/", "")],
)
def test_below(directory: str, root: str, expected: str) -> None:
    assert below(directory, root) == expected
