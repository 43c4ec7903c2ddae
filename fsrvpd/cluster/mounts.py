"""What the leader has other nodes do with the mounts of copies, as text.

Copies are in snapshots that every node sees, and users reach them through mounts, which each node
has to have. Everything that comes from another node is looked at before it is used: what it names
is mounted by root.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Mapping, NamedTuple

from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.exports import COPIES, ROOT, Export
from fsrvpd.protocol.ports import Snapshot

_MOUNT_POINT = re.compile(rf"{ROOT}/[0-9a-f]+/{COPIES}/(?!\.{{1,2}}$)[^/\0]+")


class BadOrder(FsrvpdError):
    """It is no order of a leader."""


class Action(Enum):
    MAKE = "make"
    MAKE_AGAIN = "make again"
    END_WRITING = "end writing"
    REMOVE = "remove"
    REMOVE_SNAPSHOT = "remove snapshot"  # for every share that has it
    REMOVE_UNUSED = "remove unused"  # the same, unless it is in use
    REMOVE_MOUNT = "remove mount"
    KEEP = "keep"  # these mounts, and no others


class MountOrder(NamedTuple):
    """The order concerns `exports`, or `snapshots`, or `mount_points`."""

    action: Action
    exports: tuple[Export, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    mount_points: tuple[str, ...] = ()


def order_text(order: MountOrder) -> str:
    exports = [{**each._asdict(), "snapshot": each.snapshot._asdict()} for each in order.exports]
    return json.dumps(
        {
            "action": order.action.value,
            "exports": exports,
            "snapshots": [each._asdict() for each in order.snapshots],
            "mount_points": order.mount_points,
        }
    )


def read_order(text: str) -> MountOrder:
    """Raises: BadOrder."""
    try:
        body = json.loads(text)
        return MountOrder(
            Action(body["action"]),
            tuple(_export(each) for each in body["exports"]),
            tuple(_snapshot(each) for each in body["snapshots"]),
            tuple(_mount_point(each) for each in body["mount_points"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadOrder(f"not an order about mounts: {error!r:.200}") from error


def _export(body: Mapping[str, Any]) -> Export:
    identity = body["identity"]
    export = Export(
        share=_text(body["share"]),
        directory=_text(body["directory"]),
        path=_text(body["path"]),
        snapshot=_snapshot(body["snapshot"]),
        writable=body["writable"] is True,
        identity=None if identity is None else (_number(identity[0]), _number(identity[1])),
        handle=_text(body["handle"]),
    )
    _mount_point(export.mount_point)
    return export


def _snapshot(body: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        _text(body["provider"]),
        _text(body["volume_name"]),
        _text(body["root"]),
        _text(body["share_path"]),
        float(body["created"]),
    )


def _mount_point(value: object) -> str:
    if _MOUNT_POINT.fullmatch(_text(value)) is None:
        raise ValueError(f"{value!r:.100} is no place for a copy")
    return str(value)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r:.40} is no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r:.100} is no text")
    return value
