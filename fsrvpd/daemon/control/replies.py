"""The control socket's replies as plain JSON, each described in docs/json.md.

The shapes are stable: fields are added, never renamed, never given another meaning. A value
that a program may compare is a kebab-case identifier; `ctl.render` has the words for people.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Callable, Collection, Mapping, Optional

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.log.events import Event, Field
from fsrvpd.daemon.reconciliation.discrepancies import Discrepancy
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.retention.keeper import Deletion
from fsrvpd.daemon.retention.kept_copies import KeptCopy
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.model import NO_SET, ShadowCopy, ShadowCopySet
from fsrvpd.protocol.ports import FoundSnapshot, Progress
from fsrvpd.protocol.server.view import AgentView
from fsrvpd.shares.volumes import ShareSupport

# The progress of a copy's snapshot, given its provider and its id.
ProgressOf = Callable[[str, str], Optional[Progress]]


def set_to_json(shadow_copy_set: ShadowCopySet, progress_of: ProgressOf) -> dict[str, Any]:
    return {
        "set": format_guid(shadow_copy_set.shadow_copy_set_id),
        "status": "Removing" if shadow_copy_set.removing else shadow_copy_set.status.value,
        "context": context.describe(shadow_copy_set.context),
        "client": shadow_copy_set.client_address,
        "account": shadow_copy_set.account,
        "started": shadow_copy_set.started,
        "snapshot_skew_ms": round(shadow_copy_set.snapshot_skew * 1000, 3),
        "copies": [_copy_to_json(copy, progress_of) for copy in shadow_copy_set.shadow_copy_list],
    }


def creation_to_json(shadow_copy_set: ShadowCopySet, view: AgentView) -> dict[str, Any]:
    """A set for whoever wants to read it: `path` is where a process of the server does."""
    writable = context.is_writable(shadow_copy_set.context)
    persistent = context.is_persistent(shadow_copy_set.context)
    return {
        "set": format_guid(shadow_copy_set.shadow_copy_set_id),
        "context": context.describe(shadow_copy_set.context),
        "created": shadow_copy_set.started,
        "writable": writable,
        "complete_within": view.completion_timeout if writable else None,
        "max_age": view.settings.max_age(persistent=persistent) or None,
        "snapshot_skew_ms": round(shadow_copy_set.snapshot_skew * 1000, 3),
        "shares": [
            {
                "share": mapped.share,
                "shadow_copy_share": mapped.shadow_copy_share_name,
                "path": export.mount_point,
                "copy": format_guid(copy.shadow_copy_id),
                "volume": copy.volume_name,
                "provider": copy.location.provider,
                "keep": copy.keep,
            }
            for copy in shadow_copy_set.shadow_copy_list
            for mapped in copy.share_mapping_list
            if (export := copy.export(mapped)) is not None
        ],
    }


def _copy_to_json(copy: ShadowCopy, progress_of: ProgressOf) -> dict[str, Any]:
    progress = progress_of(copy.location.provider, format_guid(copy.shadow_copy_id))
    return {
        "copy": format_guid(copy.shadow_copy_id),
        "volume": copy.volume_name,
        "provider": copy.location.provider,
        "snapshot": copy.snapshot.root if copy.snapshot else None,
        "keep": copy.keep,
        "progress": _progress_to_json(progress) if progress else None,
        "shares": [
            {
                "share": mapped.share,
                "shadow_copy_share": mapped.shadow_copy_share_name or None,
                "exposed": mapped.is_exposed,
            }
            for mapped in copy.share_mapping_list
        ],
    }


def _progress_to_json(progress: Progress) -> dict[str, Any]:
    limit = progress.limit if isfinite(progress.limit) else None
    return {"files": progress.files, "seconds": round(progress.seconds, 1), "limit": limit}


def snapshot_to_json(
    found: FoundSnapshot, known: Collection[str], inventory: Inventory
) -> dict[str, Any]:
    """`known` are the ids, in registry form, of the copies of all sets."""
    snapshot = found.snapshot
    return {
        "snapshot": snapshot.root,
        "share": found.share,
        "created": snapshot.created,
        "provider": snapshot.provider,
        "volume": snapshot.volume_name,
        "copy": found.shadow_copy_id,
        "set": found.shadow_copy_set_id if found.shadow_copy_id in known else None,
        "keep": found.keep,
        "owner": _owner(found, known, inventory),
    }


def _owner(found: FoundSnapshot, known: Collection[str], inventory: Inventory) -> str:
    if found.shadow_copy_id in known:
        return "set"
    if found.shadow_copy_set_id == NO_SET:
        return "samba" if found.shadow_copy_id in inventory.exported else "samba-unexposed"
    return "kept" if found.keep else "none"


def discrepancy_to_json(discrepancy: Discrepancy) -> dict[str, Any]:
    set_id = discrepancy.shadow_copy_set_id
    return {
        "what": discrepancy.kind,
        "object": discrepancy.object,
        "set": format_guid(set_id) if set_id else None,
        "action": discrepancy.action,
        "reason": discrepancy.reason,
    }


def removal_to_json(shadow_copy_set: ShadowCopySet, *, done: bool) -> dict[str, Any]:
    """What removing the set removes, and what it leaves."""
    kept = shadow_copy_set.outliving
    copies = [copy for copy in shadow_copy_set.shadow_copy_list if copy not in kept]
    return {
        "set": format_guid(shadow_copy_set.shadow_copy_set_id),
        "removed": done,
        "shares": list(shadow_copy_set.exposed_names),
        "snapshots": [copy.snapshot.root for copy in copies if copy.snapshot],
        "kept": [copy.snapshot.root for copy in kept if copy.snapshot],
    }


def kept_to_json(copy: KeptCopy) -> dict[str, Any]:
    """A kept copy, and what is to become of it."""
    found = copy.found
    return {
        "copy": copy.copy_id,
        "set": copy.set_id,
        "share": found.share,
        "created": found.snapshot.created,
        "provider": found.snapshot.provider,
        "volume": found.snapshot.volume_name,
        "snapshot": found.snapshot.root,
        "path": copy.export.mount_point if copy.export is not None else None,
        "bytes": copy.size,
        "status": copy.status,
        "wanted_by": list(copy.wanted_by),
        "surplus": bool(copy.surplus),
        "reason": copy.surplus or copy.reason,
    }


def deletion_to_json(deletion: Deletion, *, dry_run: bool) -> dict[str, Any]:
    return {
        **kept_to_json(deletion.copy),
        "deleted": not dry_run and not deletion.why_not,
        "reason": deletion.why_not or deletion.reason,
        "dry_run": dry_run,
    }


def support_to_json(support: ShareSupport) -> dict[str, Any]:
    location = support.location
    return {
        "share": support.share.name,
        "path": support.share.path,
        "directory": support.directory,
        "supported": location is not None,
        "result": describe(support.result),
        "reason": support.reason,
        "refusals": dict(support.refusals),
        "provider": location.provider if location else None,
        "volume": location.volume_name if location else None,
        "volume_root": location.volume_root if location else None,
        "warnings": list(support.warnings),
        "left_out": [{"path": each.path, "why": each.why} for each in support.left_out],
    }


def event_to_json(when: float, event: Event, text: str, fields: Mapping[str, Field]) -> Any:
    return {
        "time": when,
        "id": event.id,
        "event": event.name,
        "text": text,
        "fields": dict(fields),
    }


def change_to_json(
    kind: str, name: Optional[str] = None, status: Optional[str] = None
) -> dict[str, Any]:
    """`name` None: any of this kind."""
    return {"kind": kind, "name": name, "status": status}
