"""The kept copies that exist, and what is to become of each.

Retention deletes only what it can be sure of. A copy is left alone, and the list says why, when
its set exists, an admin holds it, another server, version or state file made it, its share is no
longer there or refused, or an option of its share cannot be read. Of each share the newest copy
that is really there is never deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from typing import Callable, NamedTuple, Optional

from fsrvpd.core.messages import format_guid
from fsrvpd.daemon.reconciliation.inventory import Inventory
from fsrvpd.daemon.retention.rules import NEWEST, Rules
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.exports import Export, key_of
from fsrvpd.protocol.model import NO_SET, ShadowCopySet
from fsrvpd.protocol.ports import FoundSnapshot

KEPT, HELD, EXPOSED, LEFT = "kept", "held", "exposed", "left"  # what a copy is
NO_SHARE = (
    "its share is gone, leads to another directory, or cannot be copied: `fsrvpctl fsrvpd"
    " check-path '{0}'` says which"
)
ELSEWHERE = (
    "another node of the cluster, or another server of this name, has it in a set: its share is in"
    " Samba's registry"
)
LOST = "nothing is left of it but its mark"
SILENT = "its storage does not say whether it is there"
FUTURE = 3600.0  # s by which the clock that a copy was made by may have been ahead

RulesOf = Callable[[str], Rules]  # by name of the share. Raises: FsrvpdError
Exists = Callable[["KeptCopy"], Optional[bool]]  # None when its storage does not say


class KeptCopy(NamedTuple):
    """`reason`: why it is left alone. `never`: so much that no admin's wish deletes it, either.
    `key` is that of the share and its directory."""

    found: FoundSnapshot
    key: str
    status: str = KEPT
    reason: str = ""
    never: bool = False
    export: Optional[Export] = None
    wanted_by: Sequence[str] = ()
    surplus: str = ""  # why retention deletes it
    by_age: bool = False  # and whether that depends on the clock
    rules: Optional[Rules] = None  # those of its share that said so
    size: Optional[int] = None  # bytes that its deletion frees, None where nobody knows

    @property
    def copy_id(self) -> str:
        return self.found.shadow_copy_id

    @property
    def set_id(self) -> str:
        return self.found.shadow_copy_set_id


class Owner(NamedTuple):
    """Whose copies are this daemon's; `kept` are the ids of those that an admin has kept, with
    whether he still holds them."""

    server: str
    state: str
    kept: Mapping[str, bool]


def kept_copies(
    inventory: Inventory, sets: Iterable[ShadowCopySet], owner: Owner
) -> list[KeptCopy]:
    """Every copy that is kept, or is going to be when its complete set ends; newest first."""
    outliving, others = {}, set()
    for each in sets:
        kept = {format_guid(copy.shadow_copy_id) for copy in each.outliving}
        everything = {format_guid(copy.shadow_copy_id) for copy in each.shadow_copy_list}
        outliving.update(dict.fromkeys(kept, format_guid(each.shadow_copy_set_id)))
        others |= everything - kept
    found = [
        each
        for each in inventory.found
        if each.shadow_copy_set_id != NO_SET
        and each.shadow_copy_id not in others
        and (each.keep or each.shadow_copy_id in outliving)
    ]
    found.sort(key=lambda each: (each.snapshot.created, each.shadow_copy_id), reverse=True)
    return [_kept_copy(each, inventory, outliving, owner) for each in found]


def _kept_copy(
    found: FoundSnapshot, inventory: Inventory, outliving: Mapping[str, str], owner: Owner
) -> KeptCopy:
    key = key_of(found.snapshot.volume_name, found.path, found.share)
    copy = KeptCopy(found, key)
    if found.shadow_copy_id in outliving:
        set_id = outliving[found.shadow_copy_id]
        return copy._replace(status=EXPOSED, reason=f"its set {set_id} exists", never=True)
    if not found.readable:
        return _left(copy, "another version of fsrvpd made it", never=True)
    if found.server.lower() != owner.server.lower():
        prune = f"fsrvpctl fsrvpd prune --server {quote(found.server)} --dry-run"
        why = (
            f"it belongs to server {found.server}; if that is an earlier name of this server,"
            f" `{prune}` says how it is deleted"
        )
        return _left(copy, why, never=True)
    directory = inventory.directories.get(key)
    if directory is not None:
        export = Export(found.share, directory, found.path, found.snapshot, handle=found.handle)
        copy = copy._replace(export=export)
    if owner.kept.get(found.shadow_copy_id):
        why = f"an admin holds it, until `fsrvpctl fsrvpd release-set '{found.shadow_copy_id}'`"
        return copy._replace(status=HELD, reason=why, never=True)
    if found.state != owner.state:
        if found in inventory.shared and found.shadow_copy_id in inventory.shares.values():
            return _left(copy, ELSEWHERE, never=True)
        why = (
            "it was made with another state file of fsrvpd, so nobody knows whether it was held:"
            f" `fsrvpctl fsrvpd delete-kept '{found.shadow_copy_id}'` deletes it"
        )
        return _left(copy, why)
    if directory is None or found in inventory.unclaimed:
        return _left(copy, NO_SHARE.format(found.share))
    return copy


def _left(copy: KeptCopy, why: str, *, never: bool = False) -> KeptCopy:
    return copy._replace(status=LEFT, reason=why, never=never)


def evaluated(
    copies: Iterable[KeptCopy],
    rules_of: RulesOf,
    exists: Exists,
    now: float,
) -> list[KeptCopy]:
    """The copies with what the rules of their shares say of them. `exists` is asked of those
    that let others be deleted: a mark on disk may be all that is left of a copy."""
    shares: dict[str, list[KeptCopy]] = defaultdict(list)
    for copy in copies:
        shares[copy.key].append(copy)
    return [
        each for of_share in shares.values() for each in _evaluated(of_share, rules_of, exists, now)
    ]


def _evaluated(
    copies: Sequence[KeptCopy],
    rules_of: RulesOf,
    exists: Exists,
    now: float,
) -> Iterator[KeptCopy]:
    try:
        rules = rules_of(copies[0].found.share)
    except FsrvpdError as error:
        yield from (_left(each, str(error)) if each.status == KEPT else each for each in copies)
        return
    copies = [_without_future(each, now) for each in copies]
    counted = [each for each in copies if each.status != LEFT]
    gone: dict[str, str] = {}  # and why
    if rules.delete_something:
        while counted and (why := _why_not_there(counted[0], exists)):
            gone[counted.pop(0).copy_id] = why  # what must never be deleted is really there
    result = _evaluate_all(counted, rules, now)
    if any(each.surplus for each in result):
        reasons = {
            each.copy_id: _why_not_there(each, exists) for each in result if not each.surplus
        }
        gone.update({copy: why for copy, why in reasons.items() if why})
        result = _evaluate_all([each for each in counted if each.copy_id not in gone], rules, now)
    by_id = {each.copy_id: each for each in result}
    for each in copies:
        lost = each.copy_id in gone and each.status == KEPT
        yield _left(each, gone[each.copy_id]) if lost else by_id.get(each.copy_id, each)


def _why_not_there(copy: KeptCopy, exists: Exists) -> str:
    """Why a copy does not count, "" when it does."""
    there = exists(copy)
    return SILENT if there is None else "" if there else LOST


def _without_future(copy: KeptCopy, now: float) -> KeptCopy:
    """It would count as the newest for as long as the clock was wrong."""
    if copy.status == KEPT and copy.found.snapshot.created > now + FUTURE:
        return _left(copy, "it was made in the future; check the clock")
    return copy


def _evaluate_all(copies: Sequence[KeptCopy], rules: Rules, now: float) -> list[KeptCopy]:
    """`copies` of one share, newest first. Those that are held or exposed count as well."""
    reasons = rules.wanted([each.found.snapshot.created for each in copies])
    return [_evaluate(each, tuple(why), rules, now) for each, why in zip(copies, reasons)]


def _evaluate(copy: KeptCopy, wanted_by: Sequence[str], rules: Rules, now: float) -> KeptCopy:
    copy = copy._replace(wanted_by=wanted_by, rules=rules)
    if copy.status != KEPT or NEWEST in wanted_by:
        return copy
    if rules.limit_number and not wanted_by:
        return copy._replace(surplus="no fsrvp:keep option of its share wants it")
    if rules.too_old(copy.found.snapshot.created, now):
        why = f"it is older than fsrvp:keep days = {rules.days}"
        return copy._replace(surplus=why, by_age=True)
    return copy


def oldest_to_give_up(copies: Iterable[KeptCopy], volume_name: str) -> Optional[KeptCopy]:
    """The copy to delete first when a volume is short of space, None when there is none."""
    candidates = [
        each
        for each in copies
        if each.status == KEPT
        and NEWEST not in each.wanted_by
        and each.found.snapshot.volume_name == volume_name
    ]
    return min(candidates, key=lambda each: each.found.snapshot.created, default=None)
