"""The `fsrvp:` parameters of a share that concern storage."""

from __future__ import annotations

from math import inf
from typing import Mapping

from fsrvpd.protocol.ports import Share
from fsrvpd.providers.wanted import Wanted, names

PROVIDER = "provider"
ANY = "auto"
PREVIOUS_VERSIONS = "previous versions"
POOL_LIMIT = "pool limit"
DEFAULT_POOL_LIMIT = 90.0  # per cent
COMMAND_TIMEOUT = "command timeout"
DEFAULT_COMMAND_TIMEOUT = 60  # s
DEPTH = "depth"
INCLUDE = "include"
CLONE_TIME_LIMIT = "clone time limit"
DEFAULT_CLONE_TIME_LIMIT = 50  # s; Windows waits 60 for a commit
_TRUE = ("yes", "true", "on", "1")  # what Samba's parser takes for a true boolean


def wants_previous_versions(share: Share) -> bool:
    """`fsrvp:previous versions`: users may list the snapshots (shadow_copy2 needs that)."""
    return share.options.get(PREVIOUS_VERSIONS, "no").strip().lower() in _TRUE


def forced_provider(share: Share) -> str:
    """`fsrvp:provider`: the one that must be used, `ANY` when the first that can may be."""
    return share.options.get(PROVIDER, ANY).strip().lower()


def pool_limit(share: Share) -> float:
    """`fsrvp:pool limit`: how full, in per cent, a thin pool may be for a snapshot to be
    taken. What cannot be read was complained about when smb.conf was."""
    try:
        return float(share.options.get(POOL_LIMIT, DEFAULT_POOL_LIMIT))
    except ValueError:
        return DEFAULT_POOL_LIMIT


def command_timeout(options: Mapping[str, str]) -> float:
    """`fsrvp:command timeout`, s. What cannot be read was complained about, as above."""
    text = options.get(COMMAND_TIMEOUT, "").strip()
    return float(text) if text.isdecimal() and int(text) else DEFAULT_COMMAND_TIMEOUT


def wanted(share: Share) -> Wanted:
    """`fsrvp:depth` and `fsrvp:include`."""
    return Wanted(_number(share, DEPTH, 0), names(share.options.get(INCLUDE, "")))


def clone_time_limit(share: Share) -> float:
    """`fsrvp:clone time limit`, in seconds."""
    return _number(share, CLONE_TIME_LIMIT, DEFAULT_CLONE_TIME_LIMIT) or inf


def _number(share: Share, name: str, default: int) -> int:
    """What cannot be read was complained about when smb.conf was."""
    text = share.options.get(name, "").strip()
    return int(text) if text.isdecimal() else default
