"""How a set ends, from any state in which it may be: undone, or deleted.

Spec: MS-FSRVP 3.2.4.6 and 3.2.4.8. Three things go beyond its letter.

* A set that may be exposed is completed and then deleted: Windows refuses new sets for half an
  hour after an abort of an exposed one (note 6).
* After an abort a set whose commit was sent is asked for. Samba's agent answers zero to the abort
  of a committed set and keeps it; such a set is exposed, completed and deleted.
* The record may be older than what happened, by one call. So an answer that the set has another
  Status leads on, not out.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Sequence, Tuple

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.sequence import TIMEOUTS
from fsrvpd.requestor.errors import Refused
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord
from fsrvpd.requestor.protocol.answers import UNKNOWN, WRONG_STATUS, refusal, unusable
from fsrvpd.requestor.protocol.exchange import Call, Exchange, opnum_of
from fsrvpd.requestor.protocol.queries import share_name, supported_version

_COMMIT_SENT = (
    SetState.COMMITTED,
    SetState.EXPOSED,
    SetState.RECOVERED,
    SetState.REMOVING,
)
_EXPOSE_SENT = (SetState.EXPOSED, SetState.RECOVERED, SetState.REMOVING)


class Ending(Enum):
    """What the server has said of a set or of a copy that is to go."""

    REMOVED = "removed"
    UNKNOWN = "unknown"  # it is not there; an agent of several processes may be mistaken


class Deletion(NamedTuple):
    """The copies of a set that were deleted, and those that the server does not know."""

    removed: Tuple[ShadowCopyRecord, ...]
    unknown: Tuple[ShadowCopyRecord, ...]

    @property
    def ending(self) -> Ending:
        return Ending.REMOVED if self.removed else Ending.UNKNOWN


class _NotExposed(Exception):
    """DeleteShareMapping says that the set has another Status."""


def delete(record: SetRecord, copies: Sequence[ShadowCopyRecord]) -> Exchange[Deletion]:
    """Delete some copies of a set that is Recovered, or all. Spec: 3.2.4.8."""
    yield from supported_version(record.server)
    try:
        return (yield from _delete(record, copies))
    except _NotExposed:
        result = HResult.FSRVP_E_BAD_STATE
        raise refusal(record.server, Opnum.DeleteShareMapping, result) from None


def undo(record: SetRecord) -> Exchange[Ending]:
    """Remove whatever the server may have of a set. Raises: Refused if it stays."""
    if record.server_set_id is None:
        return (yield from _undo_unnamed(record))
    if record.state in _EXPOSE_SENT:
        try:
            return (yield from _complete_and_delete(record))
        except _NotExposed:
            pass  # Expose did not happen
    ending = yield from _abort(record)
    if record.state not in _COMMIT_SENT:
        return ending
    return (yield from _make_sure(record, ending))


def _complete_and_delete(record: SetRecord) -> Exchange[Ending]:
    if record.state is SetState.EXPOSED:
        yield from _complete(record)  # the copies' answers say whether it worked
    return (yield from _delete(record, record.copies)).ending


def _complete(record: SetRecord) -> Exchange[int]:
    response = yield Call(m.RecoveryCompleteShadowCopySet(_id(record)))
    return response.result


def _delete(record: SetRecord, copies: Sequence[ShadowCopyRecord]) -> Exchange[Deletion]:
    removed: list[ShadowCopyRecord] = []
    unknown: list[ShadowCopyRecord] = []
    for copy in copies:
        request = m.DeleteShareMapping(_id(record), copy.copy_id, share_name(copy.root))
        result = (yield Call(request)).result
        if result in WRONG_STATUS:
            raise _NotExposed
        if result and result not in UNKNOWN:
            raise refusal(copy.root.unc, Opnum.DeleteShareMapping, result)
        (unknown if result else removed).append(copy)
    return Deletion(tuple(removed), tuple(unknown))


def _abort(record: SetRecord) -> Exchange[Ending]:
    result = (yield Call(m.AbortShadowCopySet(_id(record)))).result
    if result in UNKNOWN:
        return Ending.UNKNOWN
    if result and not (result in WRONG_STATUS and record.state in _COMMIT_SENT):
        raise refusal(record.server, Opnum.AbortShadowCopySet, result)
    return Ending.REMOVED


def _make_sure(record: SetRecord, ending: Ending) -> Exchange[Ending]:
    """RecoveryComplete is the question: the one method that changes nothing of a set that is
    committed, and that every agent refuses for a set that it does not know."""
    result = yield from _complete(record)
    if result in UNKNOWN:
        return ending
    if result in WRONG_STATUS:
        timeout = TIMEOUTS[Opnum.ExposeShadowCopySet]
        response = yield Call(m.ExposeShadowCopySet(_id(record), timeout))
        if response.result in UNKNOWN:
            return ending
        if response.result and response.result not in WRONG_STATUS:
            raise refusal(record.server, Opnum.ExposeShadowCopySet, response.result)
        yield from _complete(record)
    try:
        return (yield from _delete(record, record.copies)).ending
    except _NotExposed:
        code = HResult.FSRVP_E_BAD_STATE
        raise refusal(record.server, Opnum.DeleteShareMapping, code) from None


def _undo_unnamed(record: SetRecord) -> Exchange[Ending]:
    """The answer to StartShadowCopySet did not come, so that nobody knows the set's id.

    The set has changed neither disk nor shares, and only hinders others until its timer ends it.
    A Start tells: without a context nothing is there; with a context and no set it makes one,
    which has an id and can be aborted. Only where a set is there SetContext is called, which
    drops it if it is this client's.
    """
    start = m.StartShadowCopySet(record.set_id)
    for request in (start, m.SetContext(record.context), start):
        response = yield Call(request)
        if response.result == HResult.FSRVP_E_BAD_STATE:
            return Ending.UNKNOWN
        if isinstance(response, m.GuidResponse) and not response.result:
            if response.guid == NULL_GUID:
                raise unusable(record.server, Opnum.StartShadowCopySet, "it names no set")
            return (yield from _abort(record._replace(server_set_id=response.guid)))
        if response.result == HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS:
            if request is not start:
                return Ending.UNKNOWN  # it is another client's
        elif response.result:
            raise refusal(record.server, opnum_of(request), response.result)
    cause = "the server still holds a set without copies, which it ends by itself within minutes"
    raise Refused(record.server, cause, "type `fsrvpshadow clean` in some minutes")


def _id(record: SetRecord) -> bytes:
    return record.server_set_id or NULL_GUID
