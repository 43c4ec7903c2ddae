"""The three truths held against each other: the sets, the disks, Samba's registry.

What is ours and belongs to no set goes, what a set has lost is mended where that is
possible, and what is in doubt stays and is said: a volume that is not at hand, a snapshot
of another server or of another state file (ours was lost, or another one is in its place),
what `fsrvp:keep` protects, what was taken for Samba's own agent, and all on volumes that no
share and no set names. No clock is asked: it may have been wrong then, or be now.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, Optional

from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.daemon.survey import Survey, Volume
from fsrvpd.protocol.model import NO_SET, MappedShare, ShadowCopy, ShadowCopySet
from fsrvpd.protocol.ports import Found, Snapshot

_UNUSED = (
    "it was taken for Samba's own agent, and no share leads to it; fsrvpctl fsrvpd prune removes it"
)
REMOVE, DROP, REPUBLISH, KEEP = "remove", "drop", "make again", "keep"


_ELSEWHERE = (
    "it stands on a volume of which nothing is shared, which may be a copy of another: share"
    " something of it and run fsrvpctl fsrvpd prune, or remove it by hand"
)


class Finding(NamedTuple):
    """Something that does not fit. `what` and `action` are for people and programs;
    the rest is what the action needs."""

    what: str
    object: str
    reason: str
    action: str
    shadow_copy_set_id: Optional[Guid] = None
    shadow_copy_id: Optional[Guid] = None
    names: tuple[str, ...] = ()
    snapshot: Optional[Snapshot] = None


class Known(NamedTuple):
    """What the state knows, sets that are leaving included: ids of copies, and of sets that
    cannot be read, in registry form; names of shadow copy shares in lower case."""

    copies: frozenset[str]
    unreadable: frozenset[str]
    shares: frozenset[str]

    @classmethod
    def of(cls, sets: Iterable[ShadowCopySet], unreadable: Iterable[Guid]) -> Known:
        listed = list(sets)
        ids = [copy.shadow_copy_id for each in listed for copy in each.shadow_copy_list]
        names = frozenset(name.lower() for each in listed for name in each.exposed_names)
        return cls(frozenset(map(format_guid, ids)), frozenset(map(format_guid, unreadable)), names)

    def with_those_of(self, other: Known) -> Known:
        return Known(*(mine | others for mine, others in zip(self, other)))


class Doubt(NamedTuple):
    """What keeps a stray snapshot from being removed. `state` is the id of the state file;
    `everything`: an admin wants what another one knew to go as well."""

    server: str
    state: str
    everything: bool

    def about(self, found: Found) -> str:
        """Why a snapshot stays that no set knows; empty when it may go."""
        if found.server.lower() != self.server.lower():
            return f"it belongs to server {found.server}"
        if found.shadow_copy_set_id == NO_SET:
            return "" if self.everything else _UNUSED
        if found.keep:
            return "fsrvp:keep was set for its share; remove it by hand when it is done with"
        if not self.everything and found.state != self.state:
            return (
                "another state file knew it, which may have been lost or moved; put that one"
                " back, or remove the snapshot with fsrvpctl fsrvpd prune"
            )
        return ""


def strays(survey: Survey, known: Known, doubt: Doubt) -> Iterator[Finding]:
    """Snapshots and shares of ours that no set knows; shares first, they go first."""
    of_unreadable = {
        found.shadow_copy_id
        for found in survey.found
        if found.shadow_copy_set_id in known.unreadable
    }
    spared = known.copies | of_unreadable | survey.exported
    unknown = [
        (found, _ELSEWHERE if found in survey.elsewhere else doubt.about(found))
        for found in survey.found
        if found.shadow_copy_id not in spared
    ]
    stays = {found.shadow_copy_id: "" for found in survey.found}
    stays.update({found.shadow_copy_id: why for found, why in unknown})
    for name, copy_id in survey.shares.items():
        if name.lower() not in known.shares and copy_id not in of_unreadable:
            why = stays[copy_id] if copy_id in stays else _distance(survey, name)
            yield _stray_share(name, why)
    for found, why in unknown:
        yield _stray_snapshot(found, why)


def _distance(survey: Survey, name: str) -> str:
    """Why nobody can say that a share's snapshot is gone, empty when one can."""
    path = survey.paths.get(name, "")
    return "" if _is_below(path, survey.looked_at) else "its volume is not at hand"


def _stray_snapshot(found: Found, why: str) -> Finding:
    text = f"no set knows this snapshot of share {found.share}"
    action = KEEP if why else REMOVE
    reason = f"{text}; {why}" if why else text
    return Finding("stray snapshot", found.snapshot.root, reason, action, snapshot=found.snapshot)


def _stray_share(name: str, why: str) -> Finding:
    text = f"no set knows this share; its snapshot stays: {why}" if why else "no set knows it"
    return Finding("stray share", name, text, KEEP if why else REMOVE, names=(name,))


def _is_below(path: str, roots: Collection[str]) -> bool:
    while path not in roots and path not in ("", "/"):
        path = os.path.dirname(path)
    return path in roots


def losses(survey: Survey, sets: Iterable[ShadowCopySet]) -> Iterator[Finding]:
    """What published sets that are at rest lack."""
    names = {name.lower() for name in survey.shares}
    for of in sets:
        lost = {copy.shadow_copy_id: _loss(survey, copy) for copy in of.shadow_copy_list}
        for finding in lost.values():
            if finding is not None:
                yield finding._replace(shadow_copy_set_id=of.shadow_copy_set_id)
        missing = tuple(
            mapped.shadow_copy_share_name
            for copy in of.shadow_copy_list
            for mapped in copy.share_mapping_list
            if lost[copy.shadow_copy_id] is None and _is_missing(mapped, names)
        )
        if missing:
            why = "somebody removed it from Samba's registry, its snapshot stands"
            key = of.shadow_copy_set_id
            yield Finding("share gone", ", ".join(missing), why, REPUBLISH, key, names=missing)


def _is_missing(mapped: MappedShare, names: Collection[str]) -> bool:
    wanted = mapped.is_exposed and not mapped.deleting
    return wanted and mapped.shadow_copy_share_name.lower() not in names


def _loss(survey: Survey, copy: ShadowCopy) -> Optional[Finding]:
    if copy.snapshot is not None and copy.snapshot in survey.gone:
        why = f"somebody removed this snapshot of share {copy.place.share.name}"
        key = copy.shadow_copy_id
        return Finding("snapshot gone", copy.snapshot.root, why, DROP, shadow_copy_id=key)
    volume = volume_of(copy)
    if volume in survey.absent:
        why = f"{survey.absent[volume]}; mount it, then run fsrvpctl fsrvpd prune"
        return Finding("volume absent", volume.root, why, KEEP)
    return None


def volume_of(copy: ShadowCopy) -> Volume:
    return Volume(copy.place.provider, copy.volume_name, copy.place.volume_root)
