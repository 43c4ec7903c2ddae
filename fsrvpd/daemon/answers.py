"""The control socket's answers as plain JSON. docs/json.md describes each.

The shapes are stable: a field is added, never renamed, never given another meaning.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Callable, Collection, Mapping, Optional

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.events import Event, Field
from fsrvpd.daemon.survey import Survey
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.model import NO_SET, ShadowCopy, ShadowCopySet
from fsrvpd.protocol.ports import Found, Progress
from fsrvpd.volumes import Verdict

# How far the snapshot of a copy is, given its provider and its id.
Gauge = Callable[[str, str], Optional[Progress]]


def set_to_json(of: ShadowCopySet, gauge: Gauge) -> dict[str, Any]:
    return {
        "set": format_guid(of.shadow_copy_set_id),
        "status": "Removing" if of.doomed else of.status.value,
        "context": context.describe(of.context),
        "client": of.client_address,
        "account": of.account,
        "started": of.started,
        "spread_ms": round(of.spread * 1000, 3),
        "copies": [_copy_to_json(copy, gauge) for copy in of.shadow_copy_list],
    }


def _copy_to_json(copy: ShadowCopy, gauge: Gauge) -> dict[str, Any]:
    progress = gauge(copy.place.provider, format_guid(copy.shadow_copy_id))
    return {
        "copy": format_guid(copy.shadow_copy_id),
        "volume": copy.volume_name,
        "provider": copy.place.provider,
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


def snapshot_to_json(found: Found, known: Collection[str], survey: Survey) -> dict[str, Any]:
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
        "owner": _owner(found, known, survey),
    }


def _owner(found: Found, known: Collection[str], survey: Survey) -> str:
    if found.shadow_copy_id in known:
        return "set"
    if found.shadow_copy_set_id == NO_SET:
        return "samba" if found.shadow_copy_id in survey.exported else "samba, not shared"
    return "kept" if found.keep else "none"


def removal_to_json(of: ShadowCopySet, *, done: bool) -> dict[str, Any]:
    """What a removal of the set takes away."""
    copies = of.shadow_copy_list
    return {
        "set": format_guid(of.shadow_copy_set_id),
        "removed": done,
        "shares": list(of.exposed_names),
        "snapshots": [copy.snapshot.root for copy in copies if copy.snapshot],
    }


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    place = verdict.place
    return {
        "share": verdict.share.name,
        "path": verdict.share.path,
        "directory": verdict.directory,
        "supported": place is not None,
        "result": describe(verdict.result),
        "reason": verdict.reason,
        "refusals": dict(verdict.refusals),
        "provider": place.provider if place else None,
        "volume": place.volume_name if place else None,
        "volume_root": place.volume_root if place else None,
    }


def event_to_json(when: float, event: Event, text: str, fields: Mapping[str, Field]) -> Any:
    return {
        "time": when,
        "id": event.id,
        "event": event.name,
        "text": text,
        "fields": dict(fields),
    }
