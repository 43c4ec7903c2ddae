"""What is not well, and what to type. Only what somebody misses: a share that nobody backs up, and
that cannot be copied, is no problem."""

from __future__ import annotations

from shlex import quote
from typing import Iterator, Mapping, NamedTuple, Sequence

from fsrvpd.daemon.status.shares import NOT_READY, OFF, SILENT, Overview
from fsrvpd.protocol.unc import normal_share
from fsrvpd.store.history_records import (
    FAILED,
    INTERRUPTED,
    RECENT,
    TIMED_OUT,
    Backup,
    RefusalRecord,
    SetRecord,
)

DAY = 86_400.0  # s; for so long a refused caller counts
LEAST_FREE = 0.05  # of a volume
_DENIED = "E_ACCESSDENIED"


class Problem(NamedTuple):
    """`what` is an identifier; `object` names what it concerns, if anything."""

    what: str
    object: str
    text: str
    next_step: str


class Past(NamedTuple):
    """`sets` are the last ones, the newest first. By the shares' normal names: `last_sets`, those
    that are being created left out, and `backups`."""

    sets: Sequence[SetRecord]
    last_sets: Mapping[str, SetRecord]
    backups: Mapping[str, Backup]
    refusals: Sequence[RefusalRecord]


def of_configuration(overview: Overview) -> Iterator[Problem]:
    """What smb.conf says for all shares."""
    if not overview.registry_shares:
        text = "`registry shares = no` in smb.conf: no backup succeeds, for clients see no copy"
        yield Problem("registry-shares-off", "", text, "fsrvpctl setup")
    for fault in overview.faults:
        yield Problem("option-not-understood", "", fault, "fsrvpctl check-config")


def of_shares(overview: Overview, past: Past, now: float) -> Iterator[Problem]:
    if overview.failure:
        why = f"Samba does not say which shares there are: {overview.failure}"
        yield Problem("shares-unknown", "", why, "testparm -s")
    wanted = past.backups.keys() | _wishes(past, now)
    for each in overview.shares:
        command = f"fsrvpctl fsrvpd check-path {quote(each.share)}"
        if each.state == SILENT:
            text = f"share {each.share}: the storage of {each.reason} does not answer"
            yield Problem("storage-silent", each.share, text, "dmesg | tail")
        elif each.state == NOT_READY and normal_share(each.share) in wanted:
            text = f"share {each.share} is backed up, and cannot be copied now: {each.reason}"
            yield Problem("share-not-ready", each.share, text, command)
    states = {each.state for each in overview.shares}
    if NOT_READY in states and not states - {NOT_READY, OFF}:
        yield Problem("no-share-ready", "", "no share can be copied", "fsrvpctl doctor")


def _wishes(past: Past, now: float) -> set[str]:
    return {
        normal_share(each.share)
        for each in past.refusals
        if each.share and each.result != _DENIED and each.last >= now - RECENT
    }


def of_volumes(overview: Overview) -> Iterator[Problem]:
    for each in overview.volumes:
        if each.size and each.free / each.size < LEAST_FREE:
            text = f"{each.volume} has {each.free / each.size:.1%} of its space left"
            step = f"df {quote(each.volume)}; fsrvpctl fsrvpd list-snapshots"
            yield Problem("volume-full", each.volume, text, step)


def of_backups(past: Past, now: float) -> Iterator[Problem]:
    """Shares whose last set did not end well."""
    failed = {
        record
        for record in past.last_sets.values()
        if record.outcome in (FAILED, TIMED_OUT, INTERRUPTED) and record.started >= now - RECENT
    }
    for record in sorted(failed, key=lambda each: -each.started):
        for share in record.shares:
            if past.last_sets.get(normal_share(share)) == record:
                text = f"the last backup of share {share} {record.outcome}: {record.reason}"
                yield Problem("backup-failed", share, text.rstrip(": "), _history_of(share))


def of_ages(overview: Overview, past: Past, max_age: int, now: float) -> Iterator[Problem]:
    """Shares that were backed up, but not in the last `max_age` days; 0: nobody wants to know."""
    for each in overview.shares if max_age else ():
        backup = past.backups.get(normal_share(each.share))
        days = (now - backup.committed) / DAY if backup else 0.0
        if each.state != OFF and days > max_age:
            text = (
                f"the last backup of share {each.share} is {days:.1f} days old: does its job run?"
            )
            yield Problem("backup-too-old", each.share, text, _history_of(each.share))


def _history_of(share: str) -> str:
    return f"fsrvpctl fsrvpd history --share {quote(share)}"


def of_callers(past: Past, now: float) -> Iterator[Problem]:
    """Accounts that have made sets, and are refused. Anybody can be who may not: that is shown
    among the refusals."""
    makers = {each.account for each in (*past.sets, *past.last_sets.values())}
    for each in past.refusals:
        denied = each.event == "caller-refused" or each.result == _DENIED
        if denied and each.account in makers and each.last >= now - DAY:
            who = f"{each.account} at {each.client}"
            text = f"{who} was refused: {each.reason}"
            yield Problem("caller-refused", each.account, text, each.next_step)
