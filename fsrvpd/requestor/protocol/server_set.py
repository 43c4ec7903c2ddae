"""The shadow copy set of one server, as its client knows it, and how it is created.

Spec: MS-FSRVP 3.2.1.2 and 3.2.4.2.1 to 3.2.4.5.
"""

from __future__ import annotations

import re
from typing import Collection, Sequence, cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Guid, Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.sequence import TIMEOUTS
from fsrvpd.protocol.unc import normal_share
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.protocol.answers import WRONG_STATUS, refusal, unusable
from fsrvpd.requestor.protocol.exchange import Call, Exchange, must
from fsrvpd.requestor.protocol.queries import share_name

# What no bare name of a share contains.
_FOREIGN = re.compile(r'[\\/:*?"<>|]')


class ServerSet:
    """ShadowCopySet of 3.2.1.2. Its methods are exchanges, to be driven in the order of `start`,
    `add_and_prepare`, `commit`, `expose`; `undo.undo` ends it from each of them.

    `record` is what is known, or what may be: a method puts the state that it wants to reach into
    the record before it calls. `left`: something of the set may be on the server.
    """

    def __init__(self, record: SetRecord, roots: Sequence[ShareRoot]) -> None:
        self.record = record
        self.roots = tuple(roots)
        self.left = False

    @property
    def server(self) -> str:
        return self.record.server

    def start(self) -> Exchange[None]:
        """SetContext and StartShadowCopySet. Raises: ServerBusy; then nothing is left."""
        self._require(SetState.STARTED, begun=False)
        self.left = True
        try:
            yield from must(self.server, m.SetContext(self.record.context), self.record)
            begun = yield from must(self.server, m.StartShadowCopySet(self.record.set_id))
        except RequestorError:
            self.left = False
            raise
        set_id = cast(m.GuidResponse, begun).guid
        if set_id == NULL_GUID:
            raise unusable(self.server, Opnum.StartShadowCopySet, "it names no set")
        self.record = self.record._replace(server_set_id=set_id)

    def add_and_prepare(self, new_guid: Collection[Guid]) -> Exchange[None]:
        """AddToShadowCopySet for each share, and PrepareShadowCopySet. `new_guid`: a
        ShadowCopyId of ours for each share, which servers ignore."""
        self._require(SetState.STARTED)
        self.record = self.record._replace(state=SetState.ADDED)
        for root, copy_id in zip(self.roots, new_guid):
            yield from self._add(root, copy_id)
        timeout = TIMEOUTS[Opnum.PrepareShadowCopySet]
        yield from must(self.server, m.PrepareShadowCopySet(self._server_set_id, timeout))
        self.record = self.record._replace(state=SetState.PREPARED)

    def _add(self, root: ShareRoot, client_copy_id: Guid) -> Exchange[None]:
        set_id = self._server_set_id
        request = m.AddToShadowCopySet(client_copy_id, set_id, share_name(root))
        # The record names the set, so that it can be aborted, from the first share on.
        record = None if self.record.copies else self.record
        response = yield from must(root.unc, request, record)
        copy_id = cast(m.GuidResponse, response).guid
        if copy_id == NULL_GUID:
            raise unusable(root.unc, Opnum.AddToShadowCopySet, "it names no copy")
        if any(copy.copy_id == copy_id for copy in self.record.copies):
            raise unusable(root.unc, Opnum.AddToShadowCopySet, "it names another share's copy")
        copy = ShadowCopyRecord(copy_id, root, None, None)
        self.record = self.record._replace(copies=(*self.record.copies, copy))

    def about_to_commit(self) -> SetRecord:
        """The record that must be on disk before `commit`, and before applications are frozen."""
        self._require(SetState.PREPARED)
        self.record = self.record._replace(state=SetState.COMMITTED)
        return self.record

    def commit(self) -> Exchange[None]:
        """CommitShadowCopySet: the moment of the set. `about_to_commit` has been written."""
        self._require(SetState.COMMITTED)
        timeout = TIMEOUTS[Opnum.CommitShadowCopySet]
        yield from must(self.server, m.CommitShadowCopySet(self._server_set_id, timeout))

    def expose(self) -> Exchange[None]:
        """ExposeShadowCopySet, GetShareMapping for each share and RecoveryComplete, without a
        pause: the server's timer runs."""
        self._require(SetState.COMMITTED)
        self.record = self.record._replace(state=SetState.EXPOSED)
        request = m.ExposeShadowCopySet(self._server_set_id, TIMEOUTS[Opnum.ExposeShadowCopySet])
        yield from must(self.server, request, self.record)
        yield from self.recover()

    def recover(self) -> Exchange[None]:
        """What follows Expose. It may be asked again over a new connection where the answer to
        Expose did not come; then a set that is not exposed is refused."""
        self._require(SetState.EXPOSED)
        copies = []
        for copy in self.record.copies:
            copies.append((yield from self._map(copy)))
        _require_distinct(copies)
        self.record = self.record._replace(copies=tuple(copies))
        request = m.RecoveryCompleteShadowCopySet(self._server_set_id)
        response = yield Call(request)
        # A call whose answer was lost has completed it already.
        if response.result and response.result not in WRONG_STATUS:
            raise refusal(self.server, Opnum.RecoveryCompleteShadowCopySet, response.result)
        self.record = self.record._replace(state=SetState.RECOVERED)

    def _map(self, copy: ShadowCopyRecord) -> Exchange[ShadowCopyRecord]:
        unc = copy.root.unc
        request = m.GetShareMapping(copy.copy_id, self._server_set_id, share_name(copy.root), 1)
        response = yield from must(unc, request)
        mapping = cast(m.ShareMappingResponse, response).share_mapping
        name = None if mapping is None else mapping.shadow_copy_share_name
        if mapping is None or not name:
            raise unusable(unc, Opnum.GetShareMapping, "it names no share")
        if _FOREIGN.search(name) or not name.isprintable() or name in (".", ".."):
            raise unusable(unc, Opnum.GetShareMapping, f"{name!a} is no name of a share")
        return copy._replace(shadow_share=name, created=mapping.creation_timestamp)

    @property
    def _server_set_id(self) -> Guid:
        return self.record.server_set_id or NULL_GUID

    def _require(self, state: SetState, *, begun: bool = True) -> None:
        """3.2.4: the client itself refuses what the Status does not permit."""
        if self.record.state is not state or (self.record.server_set_id is not None) != begun:
            known = self.record.state.value if self.record.server_set_id else "not started"
            cause = f"a set that is {known} cannot be taken to the next step"
            result = HResult.FSRVP_E_BAD_STATE
            raise RequestorError(self.server, cause, "make a new set", result=result)


def _require_distinct(copies: Sequence[ShadowCopyRecord]) -> None:
    """Else the backup would read a live share, or one copy for two. Raises: Refused."""
    seen = {normal_share(copy.root.share) for copy in copies}
    for copy in copies:
        name = normal_share(copy.shadow_share or "")
        if name in seen:
            cause = f"{copy.shadow_share!a} is another share"
            raise unusable(copy.root.unc, Opnum.GetShareMapping, cause)
        seen.add(name)
