"""The abstract data model of the server, and its durable form.

Spec: MS-FSRVP 3.1.1. A set is one JSON document in the store; `FORMAT` numbers its shape,
docs/state.md describes it, and tests/vectors/state holds one of each number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Mapping, Optional

from fsrvpd.core.messages import NULL_GUID, Guid, format_guid, parse_guid
from fsrvpd.protocol.ports import Share, SharePlace, Snapshot

FORMAT = 2  # to be raised with any change of shape; `_UPGRADES` then reads the older ones
NO_SET = format_guid(NULL_GUID)  # of a snapshot that was taken for Samba's own agent
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
    directory: str  # the share's path, resolved
    shadow_copy_share_name: str = ""
    is_exposed: bool = False
    deleting: bool = False  # DeleteShareMapping has begun: it is finished after a crash


@dataclass
class ShadowCopy:
    """A shadow copy of one file store (3.1.1.3)."""

    shadow_copy_id: Guid
    place: SharePlace
    creation_timestamp: int  # 100 ns since 1601-01-01 UTC
    share_mapping_list: list[MappedShare] = field(default_factory=list)
    snapshot: Optional[Snapshot] = None
    keep: bool = False  # `fsrvp:keep` of one of its shares: the snapshot outlives them

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

    def can_hold(self, place: SharePlace) -> bool:
        """Whether one snapshot can serve another share too: it holds the whole volume."""
        ours = self.place
        same_volume = (ours.provider, ours.volume_root) == (place.provider, place.volume_root)
        both_below = all(_is_below(each.directory, each.volume_root) for each in (ours, place))
        new = self.mapped_share(place.share.name) is None
        return ours.whole_volume and place.whole_volume and same_volume and both_below and new

    def path_of(self, mapped: MappedShare, snapshot: Snapshot) -> str:
        """Where a share's directory stands inside the snapshot, which tells it of the share
        that it was taken for, and thereby where the volume's root stands."""
        if mapped.directory == self.place.directory:
            return snapshot.share_path
        first = _below(self.place.directory, self.place.volume_root)
        root = snapshot.share_path[: -len(first)] if first else snapshot.share_path
        return root + _below(mapped.directory, self.place.volume_root)


def _is_below(directory: str, root: str) -> bool:
    return directory == root or directory.startswith(root.rstrip("/") + "/")


def _below(directory: str, root: str) -> str:
    """The rest of a path below a root: empty, or with a leading slash."""
    return directory[len(root.rstrip("/")) :].rstrip("/")


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
    uncertain: bool = False  # a commit may make, or have left, snapshots not written down
    spread: float = 0.0  # s between its first snapshot and its last
    boot: str = ""  # the boot of the server in which it was started
    clock: float = 0.0  # the monotonic clock of that boot then, s
    overdue_since: Optional[float] = None  # too old by the wall clock alone; not durable
    revision: int = 0  # how often it was written since the daemon began; not durable

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
        "uncertain": s.uncertain,
        "spread": s.spread,
        "boot": s.boot,
        "clock": s.clock,
        "copies": [_copy_to_json(copy) for copy in s.shadow_copy_list],
    }
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))


def from_document(document: str) -> ShadowCopySet:
    """The set that `to_document` wrote. Raises: ValueError on any other text."""
    try:
        body = json.loads(document)
        _upgrade(body)
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
            uncertain=body["uncertain"],
            spread=body["spread"],
            boot=body["boot"],
            clock=body["clock"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a shadow copy set: {error!r}") from error


def _upgrade(body: dict[str, Any]) -> None:
    """Bring an older document up to date. Raises: ValueError when that cannot be done."""
    found = body["format"]
    while body["format"] in _UPGRADES:
        _UPGRADES[body["format"]](body)
        body["format"] += 1
    if body["format"] != FORMAT:
        raise ValueError(
            f"format {found!r} is of another fsrvpd (this one reads 1 to {FORMAT});"
            " install the version that wrote it again"
        )


def _from_1(body: dict[str, Any]) -> None:
    body.setdefault("spread", 0.0)  # some later documents of format 1 have it


_UPGRADES: Mapping[int, Callable[[dict[str, Any]], None]] = {1: _from_1}


def _copy_to_json(copy: ShadowCopy) -> dict[str, Any]:
    place, share = copy.place, copy.place.share
    return {
        "copy": format_guid(copy.shadow_copy_id),
        "share": {"name": share.name, "path": share.path, "options": dict(share.options)},
        "volume": list(place[1:]),
        "created": copy.creation_timestamp,
        "keep": copy.keep,
        "snapshot": list(copy.snapshot) if copy.snapshot else None,
        "mappings": [list(vars(mapped).values()) for mapped in copy.share_mapping_list],
    }


def _copy_from_json(body: dict[str, Any]) -> ShadowCopy:
    share = Share(from_registry=False, **body["share"])
    return ShadowCopy(
        shadow_copy_id=parse_guid(body["copy"]),
        place=SharePlace(share, *body["volume"]),
        creation_timestamp=body["created"],
        share_mapping_list=[MappedShare(*mapping) for mapping in body["mappings"]],
        snapshot=Snapshot(*body["snapshot"]) if body["snapshot"] else None,
        keep=body["keep"],
    )
