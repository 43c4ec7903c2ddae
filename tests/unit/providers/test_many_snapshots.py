"""LVM and ZFS, whose commands list all snapshots: how often they are run, and what they are told of
snapshots that another version of fsrvpd took."""

from __future__ import annotations

from typing import Any, List, Sequence
from uuid import uuid4

import pytest

from fsrvpd.errors import NotOurs
from fsrvpd.protocol.ports import Snapshot
from fsrvpd.providers.catalog.marker import SnapshotMarker, encode
from fsrvpd.providers.lvm import lvm_commands
from fsrvpd.providers.lvm.lvm_commands import LogicalVolume, tags_of
from fsrvpd.providers.lvm.provider import Lvm
from fsrvpd.providers.lvm.volume_group import group_of
from fsrvpd.providers.zfs import datasets
from fsrvpd.providers.zfs import provider as zfs
from fsrvpd.providers.zfs.provider import Zfs

UUID = "abcdef-abcd-abcd-abcd-abcd-abcd-abcdef"
VOLUME = f"lvm:{UUID}:{UUID}"
MANY = 40


def markers(provider: str, number: int = MANY) -> List[SnapshotMarker]:
    ids = [f"{{{str(uuid4()).upper()}}}" for _ in range(number)]
    times = [f"2026.11.21-08.30.{second:02}" for second in range(number)]
    return [
        SnapshotMarker(provider, one, one, "s", "NAS", 1.0, "", False, "", "", time)
        for one, time in zip(ids, times)
    ]


def another_version(text: bytes) -> bytes:
    return text.replace(b'"fsrvpd":2', b'"fsrvpd":9')


class Group:
    """What LVM lists, and how often it was asked."""

    def __init__(self, listed: Sequence[SnapshotMarker], monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self._listed = listed
        monkeypatch.setattr(lvm_commands, "volumes_of", self._volumes_of)

    def _volumes_of(self, group: str, name: str) -> List[LogicalVolume]:
        self.asked += 1
        rows = [("origin", ()), *((f"fsrvp-{m.name.bare_id}", tags_of(m)) for m in self._listed)]
        rest = (UUID, "thin", "p", 0.0, 0.0, True, True, "/dev/v")
        return [LogicalVolume("vg", UUID, name, UUID, tags, *rest[1:]) for name, tags in rows]


def lvm_snapshot(lvm: Lvm, marker: SnapshotMarker) -> Snapshot:
    return lvm._snapshot(VOLUME, marker)


def test_lvm_is_asked_once_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    known, mounts = markers("lvm"), None
    group, lvm = Group(known[1:], monkeypatch), Lvm(mounts)  # type: ignore[arg-type]
    snapshots = [lvm_snapshot(lvm, each) for each in known]
    foreign = snapshots[1]._replace(root="/elsewhere/" + snapshots[1].root.rpartition("/")[2])
    assert lvm.missing([*snapshots, foreign]) == [snapshots[0]]
    assert group.asked == 1
    assert [lvm.exists(each) for each in snapshots[:2]] == [False, True]


def test_lvm_leaves_alone_what_another_version_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvm_commands, "encode", lambda marker: another_version(encode(marker)))
    [marker] = markers("lvm", 1)
    Group([marker._replace(source=UUID)], monkeypatch)
    lvm = Lvm(None)  # type: ignore[arg-type]
    snapshot = lvm_snapshot(lvm, marker)
    [found] = group_of(VOLUME, "/").markers("lvm")
    assert (found.readable, found.shadow_copy_id) == (False, marker.shadow_copy_id)
    with pytest.raises(NotOurs, match="another version of fsrvpd took it"):
        lvm.delete(snapshot)
    assert lvm.missing([snapshot]) == []


class Pool:
    """What `zfs get` prints, and how often it was run."""

    def __init__(self, listed: Sequence[SnapshotMarker], monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: List[str] = []
        self.encode = encode
        self._listed = {f"tank/data@{datasets.snapshot_name(each.name)}": each for each in listed}
        monkeypatch.setattr(datasets, "run", self._run)
        monkeypatch.setattr(zfs, "_listed", self._names)
        monkeypatch.setattr(Zfs, "_parse", self._parse)

    def _run(self, argv: Sequence[str], name: str) -> str:
        self.asked.append(argv[-1])
        rows = [
            (text, each) for text, each in self._listed.items() if argv[-1] in (text, "tank/data")
        ]
        return "".join(
            f"{text}\t{datasets._property(each.name)}\t{self.encode(each).decode()}\n"
            for text, each in rows
        )

    def _names(self, root: str) -> List[str]:
        return [text.partition("@")[2] for text in self._listed]

    def _parse(self, snapshot: Snapshot) -> Any:
        name = datasets.parse_snapshot_name(snapshot.root.rpartition("/")[2])
        assert name is not None
        return zfs._ZfsSnapshot("/tank", "tank/data", name, False)


def test_zfs_is_asked_once_for_many_and_for_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    known = markers("zfs")
    pool, provider = Pool(known[1:], monkeypatch), Zfs(None)  # type: ignore[arg-type]
    snapshots = [zfs._snapshot("/tank", "zfs:1", each) for each in known]
    assert provider.missing(snapshots) == [snapshots[0]]
    assert pool.asked == ["tank/data"]
    assert provider.exists(snapshots[1])
    assert pool.asked[1:] == [f"tank/data@{datasets.snapshot_name(known[1].name)}"]
    assert not provider.exists(snapshots[0])


def test_zfs_leaves_alone_what_another_version_took(monkeypatch: pytest.MonkeyPatch) -> None:
    [marker] = markers("zfs", 1)
    pool, provider = Pool([marker], monkeypatch), Zfs(None)  # type: ignore[arg-type]
    pool.encode = lambda marker: another_version(encode(marker))
    [found] = datasets.markers("tank/data")
    assert (found.readable, found.shadow_copy_id) == (False, marker.shadow_copy_id)
    snapshot = zfs._snapshot("/tank", "zfs:1", marker)
    with pytest.raises(NotOurs, match="another version of fsrvpd took it"):
        provider.delete(snapshot)
    assert provider.missing([snapshot]) == []
