"""A shadow copy made by the daemon for itself: every step that a client would ask for.

For `fsrvpctl doctor`, which reads the copy and deletes it. What is left out is the way
here: SMB, the pipe and the caller's authorisation.
"""

from __future__ import annotations

import time
from functools import partial

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Guid, Opnum, Request, Response, format_guid
from fsrvpd.daemon.control import Conversation
from fsrvpd.daemon.lookups import Explained, Lookups
from fsrvpd.daemon.service import Pending, Service
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.ports import Caller

ADDRESS = "self-test"  # no client has it, so that nobody's creation is disturbed
CALLER = Caller(ADDRESS, "fsrvpctl doctor", "", frozenset(), 0, -1, False)
LIMIT = 60_000  # ms for each step
LEVEL = 1
A_CLIENTS_ID = b"self-test-------"


class SelfTest:
    """Fulfils `service.Peer`: each answer leads to the next step."""

    caller = CALLER

    def __init__(
        self, service: Service, lookups: Lookups, share: str, conversation: Conversation
    ) -> None:
        self._service = service
        self._lookups = lookups
        self._share = share
        self._conversation = conversation
        self._set_id: Guid = NULL_GUID
        self._copy_id: Guid = NULL_GUID
        self._steps: list[Opnum] = [
            Opnum.StartShadowCopySet,
            Opnum.AddToShadowCopySet,
            Opnum.PrepareShadowCopySet,
            Opnum.CommitShadowCopySet,
            Opnum.ExposeShadowCopySet,
            Opnum.RecoveryCompleteShadowCopySet,
            Opnum.GetShareMapping,
        ]
        self._call(Opnum.SetContext)

    def answer(self, reference: Opnum, response: Response) -> None:
        """Of the service: how a step went."""
        if response.result:
            self._give_up(f"{reference.name}: {describe(response.result)}")
            return
        if isinstance(response, m.GuidResponse):
            self._keep(reference, response.guid)
        self._conversation.tell({"step": reference.name})
        if isinstance(response, m.ShareMappingResponse):
            self._finish(response)
        else:
            self._call(self._steps.pop(0))

    def _keep(self, reference: Opnum, guid: Guid) -> None:
        if reference is Opnum.StartShadowCopySet:
            self._set_id = guid
        else:
            self._copy_id = guid

    def _call(self, opnum: Opnum) -> None:
        request = self._request(opnum)
        pending = Pending(self, opnum, opnum, time.monotonic(), request)
        call = partial(Call, pending, CALLER, opnum, request)
        if opnum is Opnum.AddToShadowCopySet:
            self._lookups.find(self._unc, lambda place: self._service.call(call(place)))
        else:
            self._service.call(call())

    @property
    def _unc(self) -> str:
        return f"\\\\localhost\\{self._share}"

    def _request(self, opnum: Opnum) -> Request:
        key = self._set_id
        requests: dict[Opnum, Request] = {
            Opnum.SetContext: m.SetContext(context.CTX_FILE_SHARE_BACKUP),
            Opnum.StartShadowCopySet: m.StartShadowCopySet(A_CLIENTS_ID),
            Opnum.AddToShadowCopySet: m.AddToShadowCopySet(A_CLIENTS_ID, key, self._unc),
            Opnum.PrepareShadowCopySet: m.PrepareShadowCopySet(key, LIMIT),
            Opnum.CommitShadowCopySet: m.CommitShadowCopySet(key, LIMIT),
            Opnum.ExposeShadowCopySet: m.ExposeShadowCopySet(key, LIMIT),
            Opnum.RecoveryCompleteShadowCopySet: m.RecoveryCompleteShadowCopySet(key),
            Opnum.GetShareMapping: m.GetShareMapping(self._copy_id, key, self._unc, LEVEL),
        }
        return requests[opnum]

    def _finish(self, response: m.ShareMappingResponse) -> None:
        mapping = response.share_mapping
        of = self._service.agent.table.get(self._set_id)
        copy = of.copy(self._copy_id) if of else None
        if mapping is None or copy is None or copy.snapshot is None:
            self._give_up("the copy was gone before it could be looked at")
            return
        self._conversation.finish(
            {
                "set": format_guid(self._set_id),
                "copy": format_guid(self._copy_id),
                "shadow_copy_share": mapping.shadow_copy_share_name,
                "snapshot": copy.snapshot.share_path,
                "provider": copy.place.provider,
            }
        )

    def _give_up(self, why: str) -> None:
        """Nothing of the attempt is to stay."""
        if self._service.agent.table.get(self._set_id) is not None:
            agent, key = self._service.agent, self._set_id
            self._service.keep_up(lambda now: agent.doom(key, "the self-test failed", now))
        self._conversation.fail(f"self-test of share {self._share}: {why}")


def begin(service: Service, lookups: Lookups, share: str, conversation: Conversation) -> None:
    """Fails when there is no such share, or it cannot be copied."""

    def explained(verdict: Explained) -> None:
        if isinstance(verdict, FsrvpdError):
            conversation.fail(str(verdict))
        elif verdict.place is None:
            conversation.fail(f"share {share} cannot be copied: {verdict.reason}")
        else:
            SelfTest(service, lookups, verdict.share.name, conversation)

    lookups.explain(share, explained)
