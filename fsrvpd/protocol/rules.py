"""One row for each method that names a set: when it is permitted, and what it starts.

Spec: MS-FSRVP 3.1.4.4 to 3.1.4.13; seconds are those of the Message Sequence Timer.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol import actions
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status

SHORT_TIMER = 180
LONG_TIMER = 1800

S = Status


class Rule(NamedTuple):
    """`late` answers a call that waited too long; a call joins a job of the type `job`
    that is under way already."""

    section: str
    permitted: frozenset[Status]
    timer: int  # after success; 0: the timer is not started
    late: HResult = HResult.FSRVP_E_WAIT_TIMEOUT
    job: Union[type[object], tuple[()]] = ()


RULES = {
    Opnum.AddToShadowCopySet: Rule("3.1.4.4", frozenset({S.STARTED, S.ADDED}), LONG_TIMER),
    Opnum.PrepareShadowCopySet: Rule(
        "3.1.4.13", frozenset({S.ADDED}), LONG_TIMER, job=actions.Prepare
    ),
    Opnum.CommitShadowCopySet: Rule(
        "3.1.4.5",
        frozenset({S.ADDED, S.CREATION_IN_PROGRESS}),
        SHORT_TIMER,
        late=HResult.FSSAGENT_E_TIMEOUT,
        job=actions.Commit,
    ),
    Opnum.ExposeShadowCopySet: Rule(
        "3.1.4.6", frozenset({S.COMMITTED}), SHORT_TIMER, job=actions.Expose
    ),
    Opnum.GetShareMapping: Rule("3.1.4.11", frozenset({S.EXPOSED, S.RECOVERED}), LONG_TIMER),
    Opnum.RecoveryCompleteShadowCopySet: Rule(
        "3.1.4.7", frozenset({S.EXPOSED}), 0, job=actions.Seal
    ),
    Opnum.DeleteShareMapping: Rule("3.1.4.12", frozenset({S.EXPOSED, S.RECOVERED}), 0),
    # The document lets Abort run in any Status; Microsoft's suite expects BAD_STATE once
    # a set is Recovered, which is no longer a set that is being created.
    Opnum.AbortShadowCopySet: Rule("3.1.4.8", frozenset(S) - {S.RECOVERED}, 0),
}
