"""What the results of methods mean to a client, and how a refusal is told to people.

Spec: MS-FSRVP 2.2.4. Agents do not agree on the result for a set that they do not know: the
specification says SHADOWCOPYSET_ID_MISMATCH, Windows Server 2012 and Samba say E_INVALIDARG, and
for DeleteShareMapping OBJECT_NOT_FOUND.
"""

from __future__ import annotations

from typing import Mapping, Type

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult, describe
from fsrvpd.requestor.errors import AccessRefused, Refused, RequestorError, ServerBusy

# Of a method that names a set or a copy by an id that the server has made: it is not there.
UNKNOWN = frozenset(
    {
        HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
        HResult.FSRVP_E_OBJECT_NOT_FOUND,
        HResult.E_INVALIDARG,
    }
)
# The set has another Status.
WRONG_STATUS = frozenset({HResult.FSRVP_E_BAD_STATE, HResult.VSS_E_BAD_STATE_2012})
# Of SetContext and StartShadowCopySet: somebody else creates a set, or has just taken the context.
BUSY = frozenset({HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, HResult.FSRVP_E_BAD_STATE})
BEGINNING = (Opnum.SetContext, Opnum.StartShadowCopySet)

_NO_COPY = "use `fsrvpshadow check` to see what can be copied"
_SPACE = "free space on the server's volume, or delete old copies: `fsrvpshadow list`"
# Cause and next step.
_TEXTS: Mapping[int, tuple[str, str]] = {
    HResult.E_ACCESSDENIED: (
        "the user may not create shadow copies",
        "add the user to Backup Operators on the server",
    ),
    HResult.FSRVP_E_NOT_SUPPORTED: (
        "the server has no way to copy this share: its storage has no snapshots, or something is"
        " mounted below it",
        _NO_COPY,
    ),
    HResult.FSRVP_E_OBJECT_NOT_FOUND: (
        "the server has no such share",
        "compare the name with the shares of the server: `smbclient -L`",
    ),
    HResult.FSRVP_E_OBJECT_ALREADY_EXISTS: (
        "the set has a share of the same volume already",
        "make one set for each share",
    ),
    HResult.FSRVP_E_UNSUPPORTED_CONTEXT: (
        "the server does not know this context",
        "use another context, such as backup",
    ),
    HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: (
        "the server is creating a set for another client, or one was aborted a short while ago",
        "try again later, or let `--wait SECONDS` do so",
    ),
    HResult.FSRVP_E_WAIT_TIMEOUT: (
        "the server did not finish in time",
        "try again; if it happens again, look at the load of the server",
    ),
    HResult.FSSAGENT_E_TIMEOUT: (
        "the server's snapshot took too long",
        "try again; if it happens again, look at the load of the server",
    ),
    HResult.VSS_E_INSUFFICIENT_STORAGE: ("the server's volume is full", _SPACE),
    HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED: (
        "the server holds as many sets as it may",
        "delete sets that are not needed: `fsrvpshadow list`, then `fsrvpshadow delete`",
    ),
    HResult.VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED: (
        "the set has as many shares as the server permits",
        "make two sets",
    ),
    HResult.VSS_E_PROVIDER_VETO: (
        "the server's storage failed to make the snapshot",
        "see the server's log of that time",
    ),
    HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH: (
        "the server no longer knows the set: it waited too long for the next call, or it restarted",
        "try again",
    ),
    HResult.FSRVP_E_BAD_STATE: (
        "the set has another status on the server than this client knows",
        "try again",
    ),
}
_OTHER = ("the server refused", "see the server's log of that time")
# What one result means of some methods only.
_NO_SUCH_NAME = (
    "the server does not take this for a share of its own: it may have another name for itself",
    "use the server's own name; on fsrvpd's server, `fsrvpd:additional host names` may have more",
)
_OF_METHOD: Mapping[tuple[Opnum, int], tuple[str, str]] = {
    (Opnum.IsPathSupported, HResult.E_INVALIDARG): _NO_SUCH_NAME,
    (Opnum.AddToShadowCopySet, HResult.E_INVALIDARG): _NO_SUCH_NAME,
    (Opnum.IsPathShadowCopied, HResult.E_INVALIDARG): _NO_SUCH_NAME,
    (Opnum.IsPathShadowCopied, HResult.FSRVP_E_NOT_SUPPORTED): (
        "the server does not tell whether there are copies, as Samba's own agent",
        "look at the shares of the server: `smbclient -L`",
    ),
}
_OF_A_SET = (  # methods that name a set: Windows Server 2012 says E_INVALIDARG if it has none
    *(Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet, Opnum.ExposeShadowCopySet),
    *(Opnum.RecoveryCompleteShadowCopySet, Opnum.GetShareMapping),
)


def refusal(subject: str, opnum: Opnum, result: int) -> RequestorError:
    """The error for a result other than zero. `subject` is the server, or the share concerned."""
    kind: Type[RequestorError] = Refused
    meaning = result
    if opnum in BEGINNING and result in BUSY:
        kind, meaning = ServerBusy, HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    elif result == HResult.E_ACCESSDENIED:
        kind = AccessRefused
    elif result == HResult.E_INVALIDARG and opnum in _OF_A_SET:
        meaning = HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    cause, next_step = _OF_METHOD.get((opnum, result)) or _TEXTS.get(meaning, _OTHER)
    text = f"{cause} ({opnum.name}: {describe(result)})"
    return kind(subject, text, next_step, result=result)


def still_there(subject: str, share: str) -> RequestorError:
    """The error for a copy that the agent does not know, while its share is still there."""
    cause = f"the server's agent does not know the copy, and the server still has its share {share}"
    next_step = "close other programs' connections to the agent, and try again in some minutes"
    return Refused(subject, cause, next_step, result=HResult.FSRVP_E_OBJECT_NOT_FOUND)


def unusable(subject: str, opnum: Opnum, what: str) -> RequestorError:
    """The error for an answer that reports success and cannot be true."""
    text = f"the server's answer to {opnum.name} cannot be used: {what}"
    return Refused(subject, text, "see the server's log of that time")
