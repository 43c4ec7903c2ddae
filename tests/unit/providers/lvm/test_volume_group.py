from __future__ import annotations

import errno
import json
import os
from typing import Dict, List, Sequence

import pytest

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.providers.catalog.marker import SnapshotMarker
from fsrvpd.providers.lvm import lvm_commands
from fsrvpd.providers.lvm.lvm_commands import VolumeId, tags_of
from fsrvpd.providers.lvm.volume_group import (
    VolumeGroup,
    group_of,
    parse_volume_name,
    volume_name_of,
)

GROUP = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
POOL = "pppppp-oooo-oooo-llll-0000-0000-000001"
ORIGIN = "oooooo-rrrr-iiii-gggg-iiii-nnnn-000001"
OTHER = "oooooo-tttt-hhhh-eeee-rrrr-0000-000001"
VOLUME_NAME = f"lvm:{GROUP}:{ORIGIN}"
ID = "{8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"


def marker(source: str = ORIGIN, provider: str = "lvm") -> SnapshotMarker:
    return SnapshotMarker(
        *(provider, ID, ID, "data", "NAS", 1.5, "a", False, source, "", "2026.11.21-08.30.00")
    )


def row(name: str, uuid: str, **more: str) -> Dict[str, str]:
    """As `lvs --reportformat json` prints it."""
    return {
        "vg_name": "vg",
        "vg_uuid": GROUP,
        "lv_name": name,
        "lv_uuid": uuid,
        "lv_tags": "",
        "segtype": "thin",
        "pool_lv_uuid": POOL,
        "data_percent": "",
        "metadata_percent": "",
        "lv_attr": "Vwi-aotz--",
        "lv_active": "active",
        "lv_dm_path": f"/dev/mapper/vg-{name}",
        **more,
    }


def pool_row(data: str = "50.00", metadata: str = "10.00") -> Dict[str, str]:
    return row("[pool]", POOL, segtype="thin-pool", data_percent=data, metadata_percent=metadata)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> List[Dict[str, str]]:
    """The report that the fake LVM prints."""
    reported = [pool_row(), row("data", ORIGIN)]

    def run(argv: Sequence[str], object: str, environment: Dict[str, str]) -> str:
        assert argv[0] == "lvs"
        assert argv[-1] == f'vg_uuid="{GROUP}"'
        return json.dumps({"report": [{"lv": reported}]})

    monkeypatch.setattr(lvm_commands, "run", run)
    return reported


def group(rows: List[Dict[str, str]]) -> VolumeGroup:
    return group_of(VOLUME_NAME, "/srv")


def test_a_volume_name_holds_both_ids() -> None:
    assert parse_volume_name(VOLUME_NAME) == VolumeId(GROUP, ORIGIN)
    assert str(VolumeId(GROUP, ORIGIN)) == VOLUME_NAME


@pytest.mark.parametrize("name", ["", "btrfs:1", f"lvm:{GROUP}", f"lvm:{GROUP}:{ORIGIN}\n"])
def test_other_volume_names_are_refused(name: str) -> None:
    assert parse_volume_name(name) is None
    with pytest.raises(NotOurs, match="no name of a logical volume"):
        group_of(name, "/srv")


def test_a_directory_on_no_logical_volume() -> None:
    fd = os.open("/proc", os.O_RDONLY)
    assert volume_name_of(fd) == "no logical volume"
    os.close(fd)


def test_a_group_knows_origin_and_pool(rows: List[Dict[str, str]]) -> None:
    found = group(rows)
    assert (found.origin().path, found.origin().kind) == ("vg/data", "thin")
    assert (found.pool().path, found.pool().data_percent) == ("vg/pool", 50.0)
    assert found.named("data") == found.origin()
    assert found.named("absent") is None


def test_a_group_that_is_missing(rows: List[Dict[str, str]]) -> None:
    rows.clear()
    with pytest.raises(StorageError, match=f"its volume group {GROUP} is missing"):
        group(rows)


def test_an_origin_that_is_missing(rows: List[Dict[str, str]]) -> None:
    del rows[1]
    with pytest.raises(StorageError, match=f"no logical volume {ORIGIN}"):
        group(rows).origin()


def test_markers_are_those_of_snapshots_of_the_origin(rows: List[Dict[str, str]]) -> None:
    for number, each in enumerate([marker(), marker(OTHER), marker(provider="other")]):
        rows.append(row(f"snapshot-{number}", f"{number}", lv_tags=",".join(tags_of(each))))
    assert list(group(rows).markers("lvm")) == [marker()]


@pytest.mark.parametrize(
    ("data", "metadata", "full"),
    [("90.00", "1.00", "data"), ("1.00", "90.01", "metadata"), ("89.99", "89.99", "")],
)
def test_a_full_pool_is_refused(
    rows: List[Dict[str, str]], data: str, metadata: str, full: str
) -> None:
    rows[0] = pool_row(data, metadata)
    if not full:
        group(rows).refuse_full_pool(90, "/srv")
        return
    with pytest.raises(StorageError, match=f"the {full} of its thin pool vg/pool is 90") as caught:
        group(rows).refuse_full_pool(90, "/srv")
    assert caught.value.error_number == errno.ENOSPC
