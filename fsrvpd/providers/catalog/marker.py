"""How fsrvpd recognises its snapshots on disk: by their name, and by a marker.

On most volumes the marker of a snapshot is a symbolic link whose target is a text. A link
is made whole, in one system call, and its target is metadata: whatever journal or
transaction makes the snapshot durable makes the marker before it durable too, without an
fsync of its own, and no crash leaves half a marker. It is no extended attribute of the
snapshot, because that would take a second transaction before the snapshot can be sealed.

The link is named for the timestamp of the snapshot. So the file system itself refuses to
use one timestamp twice on one volume, and nobody has to count the snapshots.
"""

from __future__ import annotations

import json
import logging
import os
import re
from functools import lru_cache
from typing import Mapping, NamedTuple, Optional

from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import FoundSnapshot, Snapshot, SnapshotRequest
from fsrvpd.providers.catalog.volume import relative_path

log = logging.getLogger(__name__)

_ID = r"\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\}"  # registry form
_TIMESTAMP = r"[0-9]{4}(?:\.[0-9]{2}){2}-[0-9]{2}(?:\.[0-9]{2}){2}"
_NAME = re.compile(rf"fsrvp-({_ID})_GMT-({_TIMESTAMP})")
_VERSION = 2
# A link holds a page less its NUL; on btrfs it must also fit in one leaf.
_TARGET_MAX = 4000
_DIGITS_MAX = 30  # of a number in a marker
_LATEST = 253402300799.0  # the end of the year 9999: later times have no name
_ANY_TIMESTAMP = "1970.01.01-00.00.00"
_WORDS = re.compile(r"[^\x00-\x1f\x7f]*")  # what is shown and logged
# Of the fields of a marker that are text. `source` is the provider's, which checks it.
_FORMS = {
    "provider": re.compile("[a-z][a-z0-9-]{0,31}"),
    "shadow_copy_set_id": re.compile(_ID),
    "shadow_copy_id": re.compile(_ID),
    "share": _WORDS,
    "server": _WORDS,
    "state": _WORDS,
    "timestamp": re.compile(_TIMESTAMP),
    "handle": re.compile("(?:[0-9a-f]{16})?"),
}


class SnapshotName(NamedTuple):
    """fsrvp-{SHADOWCOPYID}_GMT-2026.11.21-08.30.00: what shadow_copy2 can be told to list."""

    shadow_copy_id: str  # registry form, upper case
    timestamp: str

    @property
    def bare_id(self) -> str:
        """The id without its braces, which neither ZFS nor LVM allows in a name."""
        return self.shadow_copy_id.strip("{}")

    def __str__(self) -> str:
        return f"fsrvp-{self.shadow_copy_id}_GMT-{self.timestamp}"


class SnapshotMarker(NamedTuple):
    """Says of a snapshot what must be known when nothing but the disk is left."""

    provider: str
    shadow_copy_set_id: str
    shadow_copy_id: str
    share: str
    server: str
    created: float  # Unix time, s
    path: str  # of the share's directory below the volume's root, "" for the root itself
    keep: bool  # `fsrvp:keep`: no set may know it any more, and still it stays
    source: str  # what it is a snapshot of, if the other fields do not show that
    state: str  # id of the store that knows its set
    timestamp: str  # not in the text: the link's name, for instance
    readable: bool = True  # not in the text: False for one of another version of fsrvpd
    # Of the live directory, as in ShareLocation. Markers before 0.1.0 may lack it.
    handle: str = ""

    @property
    def name(self) -> SnapshotName:
        return SnapshotName(self.shadow_copy_id, self.timestamp)

    def found(self, snapshot: Snapshot) -> FoundSnapshot:
        """The snapshot with what this marker says of it."""
        return FoundSnapshot(
            snapshot,
            self.shadow_copy_set_id,
            self.shadow_copy_id,
            self.share,
            self.server,
            self.keep,
            self.state,
            self.path,
            self.readable,
            self.handle,
        )


# Keys of a marker's text, and values for those that a marker of another version does not have.
_KEYS = frozenset(SnapshotMarker._fields) - {"timestamp", "readable"}
_DEFAULTS: Mapping[str, object] = {
    **dict.fromkeys(("share", "server", "path", "source", "state"), ""),
    **{"created": 0.0, "keep": False},
}


def marker_for(request: SnapshotRequest, timestamp: str, source: str = "") -> SnapshotMarker:
    """The marker of a snapshot that is to be taken. Raises: StorageError."""
    return SnapshotMarker(
        provider=request.location.provider,
        shadow_copy_set_id=request.shadow_copy_set_id,
        shadow_copy_id=request.shadow_copy_id,
        share=request.location.share.name,
        server=request.server,
        created=request.created,
        path=relative_path(request.location),
        keep=request.keep,
        source=source,
        state=request.state,
        timestamp=timestamp,
        handle=request.location.handle,
    )


def parse_name(text: str) -> Optional[SnapshotName]:
    """The parts of a directory's name, or None when fsrvpd gives no such name."""
    match = _NAME.fullmatch(text)
    return SnapshotName(match[1], match[2]) if match else None


def name_of(snapshot: Snapshot) -> SnapshotName:
    """The name of a snapshot's directory. Raises: NotOurs when fsrvpd gives no such name."""
    name = parse_name(os.path.basename(snapshot.root))
    if name is None or "/.." in snapshot.root:
        raise NotOurs(snapshot.root, "is not named like a snapshot that fsrvpd made")
    return name


def require_readable(marker: SnapshotMarker, snapshot: Snapshot) -> None:
    """Raises: NotOurs when another version of fsrvpd took the snapshot."""
    if not marker.readable:
        raise NotOurs(snapshot.root, "another version of fsrvpd took it, and can remove it")


def encode(marker: SnapshotMarker) -> bytes:
    """The text of a marker. Raises: StorageError when it would not fit into a link, or could
    not be read again: without a marker that is understood, no snapshot is ever deleted."""
    return _encode(marker._replace(timestamp=_ANY_TIMESTAMP))


@lru_cache(256)
def _encode(marker: SnapshotMarker) -> bytes:
    """Prepare has it made, so that Commit finds it."""
    fields = {"fsrvpd": _VERSION, **marker._asdict()}
    del fields["timestamp"], fields["readable"]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    target = text.encode("utf-8", "surrogateescape")
    if len(target) > _TARGET_MAX:
        raise StorageError(
            marker.share,
            f"its path below the volume's root is too long to be recorded: {marker.path}",
        )
    if decode(target, marker.timestamp) is None:
        raise StorageError(marker.share, f"cannot be recorded: {text!r} is no valid marker")
    return target


def decode(text: bytes, timestamp: str) -> Optional[SnapshotMarker]:
    """The marker in a text, or None when this version of fsrvpd wrote no such text.

    Whoever attaches a disk may have written it, so every field is checked, and no more is
    parsed than fits into a link.
    """
    marker = decode_any(text, timestamp)
    return marker if marker is not None and marker.readable else None


@lru_cache(256)
def decode_any(text: bytes, timestamp: str) -> Optional[SnapshotMarker]:
    """`decode`, which also says of a marker of another version what it is of, as far as that
    has the same keys: enough to leave its snapshot alone, and to say why. That of a snapshot is
    read when it is written, exposed and deleted, and is the same each time."""
    if len(text) > _TARGET_MAX:
        return None
    try:
        fields = json.loads(
            text.decode("utf-8", "surrogateescape"), parse_int=_number, parse_float=_number
        )
        readable = fields.pop("fsrvpd") == _VERSION
        if not readable:
            fields = {**_DEFAULTS, **{key: fields[key] for key in _KEYS & fields.keys()}}
        marker = SnapshotMarker(**fields, timestamp=timestamp, readable=readable)
        return marker if all(_is_valid(*field) for field in marker._asdict().items()) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def is_relative(path: str) -> bool:
    """Whether a path is empty or leads downwards, name by name."""
    return not path or not {"", ".", ".."} & {*path.split("/")}


def _number(text: str) -> float:
    """Raises: ValueError where Python would take its time."""
    if len(text) > _DIGITS_MAX:
        raise ValueError(text)
    return float(text)


def _is_valid(name: str, value: object) -> bool:
    """Whether a field of a marker has its type and form. May raise ValueError."""
    if name in ("keep", "readable"):
        return isinstance(value, bool)
    if name == "created":
        return isinstance(value, float) and 0 <= value <= _LATEST
    if not isinstance(value, str) or "\0" in value:
        return False
    value.encode("utf-8", "surrogateescape")
    if name == "path":
        return is_relative(value)
    form = _FORMS.get(name)
    return form is None or form.fullmatch(value) is not None


def decode_or_warn(text: bytes, timestamp: str, where: str) -> Optional[SnapshotMarker]:
    """`decode_any`, for one of several markers: what is not understood at all is logged, and the
    caller leaves it alone. `where` names it."""
    marker = decode_any(text, timestamp)
    if marker is None:
        log.warning("%s: not a marker of this version of fsrvpd, left alone", where)
    return marker
