"""A record of a set as a document, and back: whatever the bytes are, a reason, never a crash.

Only this host writes these files, but a disk, an editor or another user may have done anything
to them.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot

FORMAT = 1
MOST_BYTES = 1 << 20  # of a document: a set holds 64 shares, a name some hundred characters
_LONGEST = 1024  # characters of a name, as long as MS-FSRVP's strings may be
_LONGEST_PATH = 32767  # as Windows has it
_STATES = {state.value: state for state in SetState}


class Damaged(ValueError):
    """The bytes are no record; the text says why, and is fit for a message."""


def to_document(record: SetRecord) -> bytes:
    """Raises: Damaged for what could not be read again."""
    fields = {
        "format": FORMAT,
        "set": format_guid(record.set_id),
        "server": record.server,
        "server_set": _guid_to_text(record.server_set_id),
        "context": record.context,
        "state": record.state.value,
        "owner": record.owner,
        "job": record.job,
        "started": record.started,
        "pid": record.pid,
        "copies": [_copy_to_json(copy) for copy in record.copies],
    }
    data = json.dumps(fields, indent=1, ensure_ascii=True).encode() + b"\n"
    if len(data) > MOST_BYTES:
        raise Damaged(f"{len(data)} bytes are too many")
    from_document(data)
    return data


def from_document(data: bytes) -> SetRecord:
    """Raises: Damaged."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise Damaged("no JSON object")
    if fields.get("format") != FORMAT:
        raise Damaged(f"format {fields.get('format')!a:.40}, not {FORMAT}")
    state = _STATES.get(_text(fields, "state"))
    if state is None:
        raise Damaged("state is unknown")
    copies = fields.get("copies")
    if not isinstance(copies, list):
        raise Damaged("copies is no list")
    return SetRecord(
        set_id=_guid(fields, "set"),
        server=_name(fields, "server"),
        server_set_id=_optional_guid(fields, "server_set"),
        context=_number(fields, "context", 1 << 32),
        state=state,
        copies=tuple(_copy_from_json(copy) for copy in copies),
        owner=None if fields.get("owner") is None else _name(fields, "owner"),
        job=_text(fields, "job"),
        started=_seconds(fields, "started"),
        pid=_number(fields, "pid", 1 << 31),
    )


def _copy_to_json(copy: ShadowCopyRecord) -> Mapping[str, Any]:
    return {
        "copy": format_guid(copy.copy_id),
        **copy.root._asdict(),
        "shadow_share": copy.shadow_share,
        "created": copy.created,
    }


def _copy_from_json(fields: Any) -> ShadowCopyRecord:
    if not isinstance(fields, dict):
        raise Damaged("a copy is no object")
    root = ShareRoot(
        given=_text(fields, "given", _LONGEST_PATH),
        unc=_name(fields, "unc"),
        host=_name(fields, "host"),
        share=_name(fields, "share"),
        prefix=_text(fields, "prefix", _LONGEST_PATH),
    )
    if root.unc != f"\\\\{root.host}\\{root.share}":
        raise Damaged("a copy's unc is not that of its host and share")
    share = None if fields.get("shadow_share") is None else _name(fields, "shadow_share")
    known = fields.get("created") is not None
    created = _number(fields, "created", 1 << 64) if known else None
    return ShadowCopyRecord(_guid(fields, "copy"), root, share, created)


def _text(fields: Mapping[str, Any], key: str, longest: int = _LONGEST) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > longest:
        raise Damaged(f"{key} is no text, or too long")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Damaged(f"{key} is no text") from None
    return value


def _name(fields: Mapping[str, Any], key: str) -> str:
    """A text that is not empty and that a terminal can show."""
    value = _text(fields, key)
    if not value or not value.isprintable():
        raise Damaged(f"{key} is no name")
    return value


def _guid_to_text(guid: Optional[Guid]) -> Optional[str]:
    return None if guid is None else format_guid(guid)


def _guid(fields: Mapping[str, Any], key: str) -> Guid:
    try:
        return parse_guid(_text(fields, key))
    except ValueError:
        raise Damaged(f"{key} is no GUID") from None


def _optional_guid(fields: Mapping[str, Any], key: str) -> Optional[Guid]:
    return None if fields.get(key) is None else _guid(fields, key)


def _number(fields: Mapping[str, Any], key: str, limit: int) -> int:
    value = fields.get(key)
    if type(value) is not int or not 0 <= value < limit:
        raise Damaged(f"{key} is no number of its kind")
    return value


def _seconds(fields: Mapping[str, Any], key: str) -> float:
    value = fields.get(key)
    if not isinstance(value, (int, float)) or not 0 <= value < 1e11:
        raise Damaged(f"{key} is no time")
    return float(value)
