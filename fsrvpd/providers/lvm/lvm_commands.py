"""LVM's commands and tags: which logical volume a device is, the output of `lvs`, the markers.

A logical volume is identified by its UUID and that of its group, which device mapper shows
in sysfs without any command being run: names may change, and a device number means nothing
after the next boot.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from typing import List, NamedTuple, Optional, Sequence

from fsrvpd.providers.catalog.marker import SnapshotMarker, decode_or_warn, encode
from fsrvpd.providers.storage_command import run

TAG = "fsrvpd"  # `lvs @fsrvpd` lists fsrvpd's snapshots
_TIMESTAMP_TAG = "fsrvpd.timestamp."
_MARKER_TAG = "fsrvpd.marker"  # .0.…, .1.…: a marker in base64, cut into tags
_TAG_CONTENT = 900  # a tag holds 1024 characters
_UUID_PARTS = (6, 4, 4, 4, 4, 4, 6)
_DM_UUID = re.compile(r"LVM-([A-Za-z0-9]{32})([A-Za-z0-9]{32})")
_COLUMNS = (
    *("vg_name", "vg_uuid", "lv_name", "lv_uuid", "lv_tags", "segtype", "pool_lv_uuid"),
    *("data_percent", "metadata_percent", "lv_attr", "lv_active", "lv_dm_path"),
)
_WARNINGS_OFF = {"LVM_SUPPRESS_FD_WARNINGS": "1"}


class VolumeId(NamedTuple):
    """UUIDs of volume group and logical volume, as LVM writes them."""

    group: str
    volume: str

    def __str__(self) -> str:
        return f"lvm:{self.group}:{self.volume}"


class LogicalVolume(NamedTuple):
    group_name: str
    group: str
    name: str
    uuid: str
    tags: Sequence[str]
    kind: str  # thin, thin-pool, linear…
    pool: str  # UUID
    data_percent: float
    metadata_percent: float
    read_only: bool
    active: bool
    device: str

    @property
    def path(self) -> str:
        """As LVM's commands take it."""
        return f"{self.group_name}/{self.name}"


def identify(device: int) -> Optional[VolumeId]:
    """The logical volume with a device number, None when the device is none."""
    path = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/dm/uuid"
    try:
        with open(path, encoding="ascii") as file:
            match = _DM_UUID.fullmatch(file.read().strip())
    except OSError:  # not a device of device mapper
        return None
    return VolumeId(_dashed(match[1]), _dashed(match[2])) if match else None


def volumes_of(group: str, object: str) -> List[LogicalVolume]:
    """All volumes of a volume group, none when it is missing. Raises: StorageError."""
    argv = ["lvs", "--all", "--reportformat", "json", "-o", ",".join(_COLUMNS)]
    report = json.loads(run_lvm([*argv, "-S", f'vg_uuid="{group}"'], object))
    return [_parsed(row) for row in report["report"][0]["lv"]]


def device_of(group_name: str, volume: str) -> str:
    """The path of an active volume, its names escaped as device mapper does."""
    escaped = (name.replace("-", "--") for name in (group_name, volume))
    return f"/dev/mapper/{'-'.join(escaped)}"


def run_lvm(argv: Sequence[str], object: str) -> str:
    """Run a command of LVM. Raises: StorageError."""
    return run(argv, object, environment=_WARNINGS_OFF)


def tags_of(marker: SnapshotMarker) -> List[str]:
    """The tags of a snapshot. LVM writes them in one transaction with the volume."""
    text = base64.b64encode(encode(marker)).decode("ascii")
    pieces = [text[at : at + _TAG_CONTENT] for at in range(0, len(text), _TAG_CONTENT)]
    marked = [f"{_MARKER_TAG}.{number}.{piece}" for number, piece in enumerate(pieces)]
    return [TAG, f"{_TIMESTAMP_TAG}{marker.timestamp}", *marked]


def marker_from_tags(volume: LogicalVolume) -> Optional[SnapshotMarker]:
    """The marker in a volume's tags, None when they are not fsrvpd's. Tags of fsrvpd that
    this version does not understand are logged."""
    if TAG not in volume.tags:
        return None
    timestamps = [
        tag[len(_TIMESTAMP_TAG) :] for tag in volume.tags if tag.startswith(_TIMESTAMP_TAG)
    ]
    timestamp = timestamps[0] if len(timestamps) == 1 else ""
    text = _joined(volume.tags) if timestamp else b""
    return decode_or_warn(text, timestamp, volume.path)


def _joined(tags: Sequence[str]) -> bytes:
    """The text that is cut into the tags, empty when one is missing."""
    pieces = [tag.split(".", 3)[2:] for tag in tags if tag.startswith(_MARKER_TAG + ".")]
    try:
        texts = {int(number): text for number, text in pieces}
        whole = "".join(texts[number] for number in range(len(pieces)))
        return base64.b64decode(whole, validate=True)
    except (ValueError, KeyError, binascii.Error):
        return b""


def _dashed(plain: str) -> str:
    parts, at = [], 0
    for length in _UUID_PARTS:
        parts.append(plain[at : at + length])
        at += length
    return "-".join(parts)


def _parsed(row: dict[str, str]) -> LogicalVolume:
    return LogicalVolume(
        row["vg_name"],
        row["vg_uuid"],
        row["lv_name"].strip("[]"),
        row["lv_uuid"],
        [tag for tag in row["lv_tags"].split(",") if tag],
        row["segtype"],
        row["pool_lv_uuid"],
        float(row["data_percent"] or 0),
        float(row["metadata_percent"] or 0),
        row["lv_attr"][1] == "r",
        row["lv_active"] == "active",
        row["lv_dm_path"],
    )
