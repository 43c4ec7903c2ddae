"""The records of the database (docs/state.md), other than the leader's."""

from __future__ import annotations

import json
from typing import Iterator, Mapping, Optional

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError
from fsrvpd.protocol.cluster import Record

SCHEMA = 1
FILE = b"file"
_SET, _KEPT = b"set/", b"kept/"
_GUID_SIZE = 16
FORGOTTEN = b""  # CTDB removes empty records when it vacuums


def set_key(key: Guid) -> bytes:
    return _SET + key


def kept_key(copy: str) -> bytes:
    return _KEPT + copy.encode()


def kept_value(is_held: Optional[bool]) -> bytes:
    return FORGOTTEN if is_held is None else str(int(is_held)).encode()


def documents(records: Mapping[bytes, Record]) -> dict[Guid, str]:
    """Of all sets. One that is damaged is left to whoever reads documents."""
    found = _below(records, _SET)
    return {
        Guid(key): value.decode(errors="replace") for key, value in found if len(key) == _GUID_SIZE
    }


def kept(records: Mapping[bytes, Record]) -> dict[str, bool]:
    """Copies that an admin keeps, with whether he holds them."""
    return {
        key.decode(errors="replace"): value == kept_value(True)
        for key, value in _below(records, _KEPT)
    }


def file_value(identity: str) -> bytes:
    return json.dumps({"schema": SCHEMA, "id": identity}).encode()


def read_identity(record: Optional[Record]) -> str:
    """The id of the database, "" before the first claim. Raises: StoreError."""
    if record is None or not record.value:
        return ""
    try:
        body = json.loads(record.value)
        schema, identity = int(body["schema"]), str(body["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the cluster's database is not fsrvpd's, or damaged: {error!r:.100}"
        ) from error
    if schema > SCHEMA:
        raise StoreError(
            f"the cluster's database was written by a newer fsrvpd (schema {schema}, this one"
            f" knows {SCHEMA}); install that version on this node, too"
        )
    return identity


def _below(records: Mapping[bytes, Record], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    for key, record in records.items():
        if key.startswith(prefix) and record.value != FORGOTTEN:
            yield key[len(prefix) :], record.value
