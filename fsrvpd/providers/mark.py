"""How a snapshot of ours is known on disk: its name, and a mark that says whose it is.

The mark of a snapshot is a symbolic link whose target is a text. A link comes into being
whole, in one system call, and its target is metadata: whatever journal or transaction
makes the snapshot durable makes the mark before it durable too, without an fsync of its
own, and no crash leaves half a mark. It is no extended attribute of the snapshot, because
that would take a second transaction before the snapshot can be sealed.

Its name is the time label of the snapshot. So the file system itself refuses to give one
label twice on one volume, whoever asks, and nobody has to count the snapshots.
"""

from __future__ import annotations

import json
import re
import time
from typing import NamedTuple, Optional

from fsrvpd.errors import StorageError

LABEL_FORMAT = "%Y.%m.%d-%H.%M.%S"  # UTC; shadow:format = _GMT-%Y.%m.%d-%H.%M.%S
_NAME = re.compile(
    r"fsrvp-(\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\})"
    r"_GMT-(\d{4}\.\d\d\.\d\d-\d\d\.\d\d\.\d\d)"
)
_VERSION = 1
# A link holds a page less its NUL; btrfs also wants it in one leaf.
_TARGET_MAX = 4000


class SnapshotName(NamedTuple):
    """fsrvp-{SHADOWCOPYID}_GMT-2026.11.21-08.30.00: what shadow_copy2 can be told to list."""

    shadow_copy_id: str  # registry form, upper case
    label: str

    def __str__(self) -> str:
        return f"fsrvp-{self.shadow_copy_id}_GMT-{self.label}"


class Mark(NamedTuple):
    """What a snapshot says of itself when nobody else knows it any more."""

    provider: str
    shadow_copy_set_id: str
    shadow_copy_id: str
    share: str
    server: str
    created: float  # Unix time, s
    path: str  # of the share's directory below the volume's root, "" for the root itself
    keep: bool = False  # `fsrvp:keep`: no set may know it any more, and still it stays
    holder: str = ""  # what it is a snapshot of, where that is not plain from the rest
    state: str = ""  # id of the store that knows its set


def label(second: int) -> str:
    """The time label of a second of Unix time."""
    return time.strftime(LABEL_FORMAT, time.gmtime(second))


def parse_name(name: str) -> Optional[SnapshotName]:
    """The parts of a directory name, or None when it is not one of ours."""
    match = _NAME.fullmatch(name)
    return SnapshotName(match[1], match[2]) if match else None


def encode(mark: Mark) -> bytes:
    """The target of the link. Raises: StorageError when it would not fit into one."""
    fields = {"fsrvpd": _VERSION, **mark._asdict()}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    target = text.encode("utf-8", "surrogateescape")
    if len(target) > _TARGET_MAX:
        raise StorageError(
            mark.share, f"its path below the volume's root is too long to be recorded: {mark.path}"
        )
    return target


def decode(target: bytes) -> Optional[Mark]:
    """The mark in the target of a link, or None when there is none that we understand."""
    try:
        fields = json.loads(target.decode("utf-8", "surrogateescape"))
        if fields.pop("fsrvpd") != _VERSION:
            return None
        fields["created"] = float(fields["created"])
        return Mark(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
