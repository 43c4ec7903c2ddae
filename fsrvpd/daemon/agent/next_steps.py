"""What an admin can type or change after a refused call; docs/troubleshooting.md says more."""

from __future__ import annotations

from shlex import quote
from typing import Mapping, Optional

from fsrvpd.protocol.access import refusal
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import ShadowCopySet
from fsrvpd.protocol.ports import Caller
from fsrvpd.protocol.unc import parse_unc

_MOST_SHARES = 4  # that a line names
_MOST_OF_UNC = 100  # characters of one that is none

_LIST_SETS = "fsrvpctl fsrvpd list-sets"
_JOURNAL = "journalctl -u fsrvpd -n 50"
_SLOW = "dmesg | tail; iostat -x 1: which volume is slow, or does not answer?"
_BY_RESULT: Mapping[int, str] = {
    HResult.E_UNEXPECTED: f"fsrvpctl fsrvpd status; {_JOURNAL}",  # it knows the usual causes
    HResult.FSRVP_E_WAIT_TIMEOUT: _SLOW,
    HResult.FSSAGENT_E_TIMEOUT: _SLOW,
    HResult.FSRVP_E_WAIT_FAILED: _JOURNAL,
    HResult.FSRVP_E_BAD_STATE: "fsrvpctl fsrvpd watch-events, and let the client try again",
    HResult.VSS_E_BAD_STATE_2012: "nothing: the client asks again after Expose",
    HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH: "let the client begin a new set",
    HResult.FSRVP_E_OBJECT_ALREADY_EXISTS: (
        "set fsrvpd:shared volumes = yes; back up shares with fsrvp:keep = yes in a set for each"
    ),
    HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: (
        f"{_LIST_SETS}, then fsrvpctl fsrvpd abort-set ID, or wait until the other set is made"
    ),
    HResult.FSRVP_E_UNSUPPORTED_CONTEXT: "choose another kind of backup in the client's program",
    HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED: (
        f"{_LIST_SETS}, then fsrvpctl fsrvpd delete-set ID"
    ),
    HResult.VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED: "split the backup into several",
}


def share_in(call: Call, shadow_copy_set: Optional[ShadowCopySet]) -> str:
    """The share that a call names, or the first shares of its set; empty when there is none."""
    unc: Optional[str] = getattr(call.request, "share_name", None)
    if unc is not None:
        try:
            return parse_unc(unc).share
        except ValueError:
            return unc[:_MOST_OF_UNC]
    if shadow_copy_set is None:
        return ""
    copies = shadow_copy_set.shadow_copy_list
    names = [mapped.share for copy in copies for mapped in copy.share_mapping_list]
    return ",".join([*names[:_MOST_SHARES], *(["…"] if len(names) > _MOST_SHARES else [])])


def after(call: Call, result: int, shadow_copy_set: Optional[ShadowCopySet]) -> str:
    """What to do about a result of a call, which concerned this set."""
    if result == HResult.E_ACCESSDENIED:
        return _after_denial(call.caller)
    if result == HResult.VSS_E_INSUFFICIENT_STORAGE:
        return f"df {_volumes(shadow_copy_set)}; fsrvpctl fsrvpd list-snapshots"
    if hasattr(call.request, "share_name"):
        return _after_share(share_in(call, None), result)
    if result == HResult.VSS_E_PROVIDER_VETO and shadow_copy_set is not None:
        share = share_in(call, shadow_copy_set).partition(",")[0]
        return f"fsrvpctl fsrvpd check-path {quote(share)}; {_JOURNAL}"
    return _BY_RESULT.get(result, _JOURNAL)


def _after_denial(caller: Caller) -> str:
    if caller.anonymous:
        return "have the client log in as a user with SeBackupPrivilege"
    if refusal(caller) is not None:
        grant = f"net sam rights grant {quote(caller.account)} SeBackupPrivilege"
        join = f"samba-tool group addmembers 'Backup Operators' {quote(caller.name)}"
        return f"{grant}; on a controller of an Active Directory {join}"
    return (
        "have the client sign its calls (seal them, for fsrvpd:require rpc privacy) with the"
        " account of its SMB session, as Windows does"
    )


def _after_share(share: str, result: int) -> str:
    if result == HResult.E_INVALIDARG:
        return "add the server's name in it to fsrvpd:additional host names, if it is this server's"
    if result == HResult.FSRVP_E_OBJECT_NOT_FOUND:
        return f"testparm -s --section-name={quote(share)}; {_LIST_SETS}"
    return _BY_RESULT.get(result, f"fsrvpctl fsrvpd check-path {quote(share)}")


def _volumes(shadow_copy_set: Optional[ShadowCopySet]) -> str:
    copies = shadow_copy_set.shadow_copy_list if shadow_copy_set else []
    roots = dict.fromkeys(copy.location.volume_root for copy in copies)
    return " ".join(map(quote, list(roots)[:_MOST_SHARES])) or "-h"
