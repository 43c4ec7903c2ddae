"""From a path of DFS to the share behind it.

A target that the rule of `owner` refuses is neither contacted nor looked up.

Spec: MS-DFSC 3.1.4.1, without the caches. A link must have one target, as VSS for SMB file shares
demands: a copy of one of several would not be a copy of what users see.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, NoReturn, Optional, Tuple

from fsrvpd.protocol.unc import normal_share
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.names.records import Referrals, Step
from fsrvpd.requestor.names.spelling import UncPath, join, read_unc
from fsrvpd.requestor.smb.records import LoggedIn, Referral
from fsrvpd.terminal import cut, one_line

# `owner.other_host` with what it needs to know besides.
OtherHost = Callable[[Optional[str], LoggedIn, str], Optional[str]]
MOST_LINKS = 8
_LONGEST_SHOWN = 64
_MOST_SHOWN = 3


class Followed(NamedTuple):
    """`path` is not of DFS. The last `below` names of the given path lie below the targets."""

    path: UncPath
    below: int
    steps: Tuple[Step, ...] = ()


def follow(written: UncPath, referrals: Referrals, other_host: OtherHost) -> Followed:
    """Raises: RequestorError for a link with several targets, for a target that may not be
    contacted, and for links that lead in a circle."""
    followed = Followed(written, _depth(written.path))
    for _ in range(MOST_LINKS):
        referral = referrals.ask(followed.path.host, followed.path.unc)
        onward = referral and _onward(followed, referral, other_host)
        if not onward:
            return followed
        followed = onward
    _refuse(
        written, f"leads over more than {MOST_LINKS} links of DFS", "name the share behind them"
    )


def _onward(followed: Followed, referral: Referral, other_host: OtherHost) -> Optional[Followed]:
    """One link further; None if the path leads to itself, as that of a namespace's root does."""
    path = followed.path
    target, host = _target(path, referral, other_host)
    below = "\\".join(part for part in (target.path, referral.rest) if part)
    onward = UncPath(path.given, host, target.share, below)
    if _same(onward, path):
        return None
    return Followed(
        onward,
        min(followed.below, _depth(referral.rest)),
        (*followed.steps, Step("DFS", path.unc, onward.unc)),
    )


def _target(path: UncPath, referral: Referral, other_host: OtherHost) -> Tuple[UncPath, str]:
    """The target, and the host to contact for it. Those of a namespace's root have the same links,
    so the first one that may be contacted is as good as any."""
    may_choose = referral.is_root and referral.rest
    texts = referral.targets if may_choose else (_only(path, referral),)
    for text in texts:
        target = _read(path, text)
        try:
            return target, other_host(target.host, referral.proof, path.unc) or path.host
        except RequestorError:
            if text == texts[-1]:
                raise
    _refuse(path, "is a namespace of DFS with no target", "name the share itself")


def _only(path: UncPath, referral: Referral) -> str:
    if len(referral.targets) > 1:
        shown = ", ".join(map(_shown, referral.targets[:_MOST_SHOWN]))
        more = len(referral.targets) - _MOST_SHOWN
        shown += f" and {more} more" if more > 0 else ""
        what = f"is a link of DFS with {len(referral.targets)} targets: {shown}"
        _refuse(path, what, "name the share of the one that is to be copied")
    if not referral.targets:
        _refuse(path, "is a link of DFS with no target", "name the share itself")
    return referral.targets[0]


def _read(path: UncPath, text: str) -> UncPath:
    text = "\\\\" + text.lstrip("\\")
    try:
        return read_unc(text)
    except RequestorError:
        _refuse(path, f"leads to {_shown(text)}, which is no share", "have the link corrected")


def _same(one: UncPath, other: UncPath) -> bool:
    return one.host == other.host and all(
        normal_share(a) == normal_share(b)
        for a, b in ((one.share, other.share), (one.path, other.path))
    )


def _depth(path: str) -> int:
    return path.count("\\") + 1 if path else 0


def _shown(text: str) -> str:
    return cut(one_line(text), _LONGEST_SHOWN)


def _refuse(path: UncPath, cause: str, next_step: str) -> NoReturn:
    raise RequestorError(join(path.host, path.share, path.path), cause, next_step)
