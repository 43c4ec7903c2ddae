"""The durable form of a shadow copy set: one JSON document in the store.

docs/state.md describes every key. A test compares what is written with the document of
`FORMAT` in tests/vectors/state. Spec: MS-FSRVP 3.1.4, "implementation-specific configuration
store".
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Optional

from fsrvpd import filetime
from fsrvpd.core.messages import format_guid, parse_guid
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status
from fsrvpd.protocol.ports import Share, ShareLocation, Snapshot

FORMAT = 3  # raise it whenever a key is added or removed, or changes its name or meaning
UNRELEASED_FORMATS = (1, 2)  # of development versions before 0.1.0; not read


class UnreleasedFormat(ValueError):
    """The document was written by a development version before 0.1.0."""


Keys = Mapping[str, type]  # and the types of their values
_SHARE_KEYS: Keys = {"name": str, "path": str, "options": dict}
_LOCATION_KEYS: Keys = {
    "volume_name": str,
    "volume_root": str,
    "provider": str,
    "directory": str,
    "whole_volume": bool,
}
_SNAPSHOT_KEYS: Keys = {
    "provider": str,
    "volume_name": str,
    "root": str,
    "share_path": str,
    "created": float,
}
_MAPPING_KEYS: Keys = {
    "share_name": str,
    "share": str,
    "directory": str,
    "shadow_copy_share_name": str,
    "is_exposed": bool,
    "deleting": bool,
    "handle": str,
}
_COPY_KEYS: Keys = {"creation_timestamp": int, "keep": bool}
_SET_KEYS: Keys = {
    "context": int,
    "client_address": str,
    "account": str,
    "started": float,
    "removing": bool,
    "recovered_at": float,
    "may_have_unrecorded_snapshots": bool,
    "snapshot_skew": float,
    "boot": str,
    "clock": float,
}


def to_document(shadow_copy_set: ShadowCopySet) -> str:
    """The set as the store keeps it."""
    body = {
        "format": FORMAT,
        "shadow_copy_set_id": format_guid(shadow_copy_set.shadow_copy_set_id),
        "status": shadow_copy_set.status.value,
        **_pick(shadow_copy_set, _SET_KEYS),
        **({"life": shadow_copy_set.life} if shadow_copy_set.life else {}),
        "shadow_copies": [_copy_to_json(copy) for copy in shadow_copy_set.shadow_copy_list],
    }
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))


def from_document(document: str) -> ShadowCopySet:
    """The set that `to_document` wrote. Raises: ValueError on any other text, which is an
    UnreleasedFormat where the format says so."""
    try:
        body = json.loads(document)
        _require_format(body["format"])
        return ShadowCopySet(
            shadow_copy_set_id=parse_guid(body["shadow_copy_set_id"]),
            status=Status(body["status"]),
            shadow_copy_list=[_copy_from_json(copy) for copy in body["shadow_copies"]],
            **_read(body, _SET_KEYS),
            **_read({"life": "", **body}, {"life": str}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a shadow copy set: {error!r}") from error


def _require_format(number: object) -> None:
    """Raises: UnreleasedFormat, or ValueError with what an admin can do."""
    if number in UNRELEASED_FORMATS:
        raise UnreleasedFormat(f"format {number}")
    if number != FORMAT:
        raise ValueError(
            f"format {number!r} was written by another version of fsrvpd (this one reads format"
            f" {FORMAT}); install that version again"
        )


def _copy_to_json(copy: ShadowCopy) -> dict[str, Any]:
    share = copy.location.share
    return {
        "shadow_copy_id": format_guid(copy.shadow_copy_id),
        "creation_timestamp": filetime.from_unix(copy.created),
        "keep": copy.keep,
        "location": {
            "share": {"name": share.name, "path": share.path, "options": dict(share.options)},
            **_pick(copy.location, _LOCATION_KEYS),
        },
        "snapshot": _pick(copy.snapshot, _SNAPSHOT_KEYS) if copy.snapshot else None,
        "mappings": [_pick(mapped, _MAPPING_KEYS) for mapped in copy.share_mapping_list],
    }


def _copy_from_json(body: dict[str, Any]) -> ShadowCopy:
    values = _read(body, _COPY_KEYS)
    return ShadowCopy(
        shadow_copy_id=parse_guid(body["shadow_copy_id"]),
        created=filetime.to_unix(values["creation_timestamp"]),
        keep=values["keep"],
        location=_location_from_json(body["location"]),
        snapshot=_snapshot_from_json(body["snapshot"]),
        share_mapping_list=[_mapping_from_json(mapped) for mapped in body["mappings"]],
    )


def _mapping_from_json(body: dict[str, Any]) -> MappedShare:
    # Documents of development versions before 0.1.0 may lack the handle.
    return MappedShare(**_read({"handle": "", **body}, _MAPPING_KEYS))


def _location_from_json(body: dict[str, Any]) -> ShareLocation:
    share = Share(**_read(body["share"], _SHARE_KEYS), from_registry=False)
    return ShareLocation(share, **_read(body, _LOCATION_KEYS))


def _snapshot_from_json(body: Optional[dict[str, Any]]) -> Optional[Snapshot]:
    return None if body is None else Snapshot(**_read(body, _SNAPSHOT_KEYS))


def _read(body: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Raises: ValueError for a value of another type, KeyError without one."""
    for key, kind in keys.items():
        if not isinstance(body[key], (int, float) if kind is float else kind):
            raise ValueError(f"{key} is {body[key]!r:.40}, want {kind.__name__}")
    return {key: body[key] for key in keys}


def _pick(source: object, keys: Iterable[str]) -> dict[str, Any]:
    """Attributes by name: the document has the names of the data model."""
    return {key: getattr(source, key) for key in keys}
