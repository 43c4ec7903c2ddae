"""The abstract data model of the server, and its durable form.

Spec: MS-FSRVP 3.1.1. A set is one JSON document in the store; `FORMAT` numbers its shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional

from fsrvpd.core.messages import Guid, format_guid, parse_guid
from fsrvpd.protocol.ports import Share, SharePlace, Snapshot

FORMAT = 1
FILETIME_EPOCH = 11644473600  # seconds from 1601-01-01 to 1970-01-01 UTC


class Status(Enum):
    """ShadowCopySet.Status (3.1.1.2), in the order in which a set goes through them."""

    STARTED = "Started"
    ADDED = "Added"
    CREATION_IN_PROGRESS = "CreationInProgress"
    COMMITTED = "Committed"
    EXPOSED = "Exposed"
    RECOVERED = "Recovered"


PUBLISHED = frozenset({Status.COMMITTED, Status.EXPOSED, Status.RECOVERED})


@dataclass
class MappedShare:
    """A share mapped to a shadow copy (3.1.1.4). `share_name` is the UNC as it was added."""

    share_name: str
    share: str  # the share's name in Samba's spelling
    shadow_copy_share_name: str = ""
    is_exposed: bool = False


@dataclass
class ShadowCopy:
    """A shadow copy of one file store (3.1.1.3)."""

    shadow_copy_id: Guid
    place: SharePlace
    creation_timestamp: int  # 100 ns since 1601-01-01 UTC
    share_mapping_list: list[MappedShare] = field(default_factory=list)
    snapshot: Optional[Snapshot] = None
    deleting: bool = False  # DeleteShareMapping has begun: it is finished after a crash

    @property
    def volume_name(self) -> str:
        return self.place.volume_name

    def mapped_share(self, share: str) -> Optional[MappedShare]:
        """The mapping of a share by name, whatever its case."""
        wanted = share.casefold()
        for mapped in self.share_mapping_list:
            if mapped.share.casefold() == wanted:
                return mapped
        return None


@dataclass
class ShadowCopySet:
    """A shadow copy set (3.1.1.2)."""

    shadow_copy_set_id: Guid
    context: int
    client_address: str
    account: str
    started: float  # Unix time, s
    status: Status = Status.STARTED
    shadow_copy_list: list[ShadowCopy] = field(default_factory=list)
    doomed: bool = False  # to be undone: no longer in the table, kept until nothing is left
    recovered: float = 0.0  # Unix time of RecoveryComplete, 0 before

    def copy(self, shadow_copy_id: Guid) -> Optional[ShadowCopy]:
        for copy in self.shadow_copy_list:
            if copy.shadow_copy_id == shadow_copy_id:
                return copy
        return None

    def copy_of_volume(self, volume_name: str) -> Optional[ShadowCopy]:
        for copy in self.shadow_copy_list:
            if copy.volume_name == volume_name:
                return copy
        return None

    @property
    def exposed_names(self) -> list[str]:
        """Every shadow copy share that exists or may exist."""
        return [
            mapped.shadow_copy_share_name
            for copy in self.shadow_copy_list
            for mapped in copy.share_mapping_list
            if mapped.shadow_copy_share_name
        ]


def filetime(unix_time: float) -> int:
    """Unix time in seconds as a count of 100 ns since 1601-01-01 UTC."""
    return int((unix_time + FILETIME_EPOCH) * 10_000_000)


def shadow_copy_share_name(share: str, shadow_copy_id: Guid) -> str:
    """`share@{ID}`; a hidden share stays hidden: `share$@{ID}$`.

    Spec: MS-FSRVP 3.1.4.6 and note 9.
    """
    hidden = "$" if share.endswith("$") else ""
    return f"{share}@{format_guid(shadow_copy_id)}{hidden}"


def to_document(shadow_copy_set: ShadowCopySet) -> str:
    """The set as the store keeps it."""
    s = shadow_copy_set
    body = {
        "format": FORMAT,
        "set": format_guid(s.shadow_copy_set_id),
        "context": s.context,
        "client": s.client_address,
        "account": s.account,
        "started": s.started,
        "status": s.status.value,
        "doomed": s.doomed,
        "recovered": s.recovered,
        "copies": [_copy_to_json(copy) for copy in s.shadow_copy_list],
    }
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))


def from_document(document: str) -> ShadowCopySet:
    """The set that `to_document` wrote. Raises: ValueError on any other text."""
    try:
        body = json.loads(document)
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']} is not {FORMAT}")
        return ShadowCopySet(
            shadow_copy_set_id=parse_guid(body["set"]),
            context=body["context"],
            client_address=body["client"],
            account=body["account"],
            started=body["started"],
            status=Status(body["status"]),
            shadow_copy_list=[_copy_from_json(copy) for copy in body["copies"]],
            doomed=body["doomed"],
            recovered=body["recovered"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a shadow copy set: {error!r}") from error


def _copy_to_json(copy: ShadowCopy) -> dict[str, Any]:
    place, share = copy.place, copy.place.share
    return {
        "copy": format_guid(copy.shadow_copy_id),
        "share": {"name": share.name, "path": share.path, "options": dict(share.options)},
        "volume": [place.volume_name, place.volume_root, place.provider, place.directory],
        "created": copy.creation_timestamp,
        "deleting": copy.deleting,
        "snapshot": list(copy.snapshot) if copy.snapshot else None,
        "mappings": [
            [m.share_name, m.share, m.shadow_copy_share_name, m.is_exposed]
            for m in copy.share_mapping_list
        ],
    }


def _copy_from_json(body: dict[str, Any]) -> ShadowCopy:
    share = Share(from_registry=False, **body["share"])
    return ShadowCopy(
        shadow_copy_id=parse_guid(body["copy"]),
        place=SharePlace(share, *body["volume"]),
        creation_timestamp=body["created"],
        share_mapping_list=[MappedShare(*mapping) for mapping in body["mappings"]],
        snapshot=Snapshot(*body["snapshot"]) if body["snapshot"] else None,
        deleting=body["deleting"],
    )
