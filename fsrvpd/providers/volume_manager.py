"""LVM as the LVM provider needs it: which logical volume, what it says of itself, its tags.

A logical volume is known by its UUID and that of its group, which device mapper shows in
sysfs without any command being run: names may change, and a device number means nothing
after the next boot.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from typing import List, NamedTuple, Optional, Sequence

from fsrvpd.providers.commands import run
from fsrvpd.providers.mark import Mark, decode, encode

TAG = "fsrvpd"  # `lvs @fsrvpd` lists what is ours
_LABEL_TAG = "fsrvpd.label."
_MARK_TAG = "fsrvpd.mark"  # .0.…, .1.…: a mark in base64, cut into tags
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


class Tagged(NamedTuple):
    label: str
    mark: Mark


def identify(device: int) -> Optional[VolumeId]:
    """The logical volume with a device number, None when it is none."""
    place = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/dm/uuid"
    try:
        with open(place, encoding="ascii") as file:
            match = _DM_UUID.fullmatch(file.read().strip())
    except OSError:  # no device of device mapper
        return None
    return VolumeId(_dashed(match[1]), _dashed(match[2])) if match else None


def volumes_of(group: str, object: str) -> List[LogicalVolume]:
    """All of a volume group, none when it is not here. Raises: StorageError."""
    argv = ["lvs", "--all", "--reportformat", "json", "-o", ",".join(_COLUMNS)]
    report = json.loads(manage([*argv, "-S", f'vg_uuid="{group}"'], object))
    return [_parsed(row) for row in report["report"][0]["lv"]]


def device_of(group_name: str, volume: str) -> str:
    """Of an active volume by its names, as device mapper escapes them."""
    escaped = (name.replace("-", "--") for name in (group_name, volume))
    return f"/dev/mapper/{'-'.join(escaped)}"


def manage(argv: Sequence[str], object: str) -> str:
    """Run a command of LVM. Raises: StorageError."""
    return run(argv, object, environment=_WARNINGS_OFF)


def tags(label: str, mark: Mark) -> List[str]:
    """The tags of a snapshot of ours. LVM writes them in one transaction with the volume."""
    text = base64.b64encode(encode(mark)).decode("ascii")
    pieces = [text[at : at + _TAG_CONTENT] for at in range(0, len(text), _TAG_CONTENT)]
    marked = [f"{_MARK_TAG}.{number}.{piece}" for number, piece in enumerate(pieces)]
    return [TAG, f"{_LABEL_TAG}{label}", *marked]


def tagged(volume: LogicalVolume) -> Optional[Tagged]:
    """What the tags say, None when they are not ours."""
    labels = [tag[len(_LABEL_TAG) :] for tag in volume.tags if tag.startswith(_LABEL_TAG)]
    pieces = [tag.split(".", 3)[2:] for tag in volume.tags if tag.startswith(_MARK_TAG + ".")]
    if TAG not in volume.tags or len(labels) != 1:
        return None
    try:
        texts = {int(number): text for number, text in pieces}
        whole = "".join(texts[number] for number in range(len(pieces)))
        mark = decode(base64.b64decode(whole, validate=True))
    except (ValueError, KeyError, binascii.Error):
        return None
    return Tagged(labels[0], mark) if mark else None


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
