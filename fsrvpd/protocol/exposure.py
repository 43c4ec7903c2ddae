"""How a set is shown and completed: Expose, GetShareMapping and RecoveryComplete.

Spec: MS-FSRVP 3.1.4.6, 3.1.4.7 and 3.1.4.11.
"""

from __future__ import annotations

from typing import cast

from fsrvpd.core import messages as m
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Expose, Failed, Outcome, Remove, Seal
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.model import ShadowCopySet, Status, shadow_copy_share_name
from fsrvpd.protocol.ports import ShadowShare
from fsrvpd.protocol.removal import Removal
from fsrvpd.protocol.rules import RULES
from fsrvpd.protocol.unc import share_of

LEVEL_1 = 1  # of GetShareMapping


class Exposure(Removal):
    """The methods from the moment at which the snapshots exist."""

    # 3.1.4.6

    def _expose_shadow_copy_set(self, call: Call) -> None:
        of = self._lookup(cast(m.ExposeShadowCopySet, call.request).shadow_copy_set_id)
        if self._must_wait(call, of):
            return
        self._admit(call, of)
        self._stop_timer(of)
        for copy in of.shadow_copy_list:
            for mapped in copy.share_mapping_list:
                name = shadow_copy_share_name(mapped.share, copy.shadow_copy_id)
                mapped.shadow_copy_share_name = name
        self._save(of)  # the intent: these shares may exist from now on
        job = Expose(of.shadow_copy_set_id, shadow_shares(of))
        self._start(of, job, [call], lambda outcome, waits: self._exposed(of, outcome, waits))

    def _exposed(self, of: ShadowCopySet, outcome: Outcome, waits: list[Call]) -> None:
        if of.doomed:
            return  # the removal that follows knows the names
        if isinstance(outcome, Failed):
            self._fail(waits, of, outcome)
        elif not waits:
            self._undo(of, Remove(of.shadow_copy_set_id, names=of.exposed_names))
        else:
            for copy in of.shadow_copy_list:
                for mapped in copy.share_mapping_list:
                    mapped.is_exposed = True
            self.table.set_status(of, Status.EXPOSED)
            if self._is_finished(of):
                self._free_turn(of)
            self._save(of)
            self._succeed(waits, of)

    # 3.1.4.11

    def _get_share_mapping(self, call: Call) -> None:
        request = cast(m.GetShareMapping, call.request)
        if request.level != LEVEL_1:
            raise PeerError(HResult.E_INVALIDARG, f"level {request.level} is not 1")
        of = self._lookup(request.shadow_copy_set_id)
        if self._must_wait(call, of):
            return
        self._admit(call, of, self.settings.dialect.mapping_too_early)
        share = share_of(request.share_name, self.own_names)
        copy, mapped = self._mapping(of, request.shadow_copy_id, share, HResult.E_INVALIDARG)
        self._start_timer(of, RULES[call.opnum].timer)
        mapping = m.ShareMapping1(
            of.shadow_copy_set_id,
            copy.shadow_copy_id,
            mapped.share_name,
            mapped.shadow_copy_share_name if mapped.is_exposed else None,
            copy.creation_timestamp,
        )
        self._answer(call, m.ShareMappingResponse(HResult.ZERO, LEVEL_1, mapping))

    # 3.1.4.7

    def _recovery_complete(self, call: Call) -> None:
        key = cast(m.RecoveryCompleteShadowCopySet, call.request).shadow_copy_set_id
        of = self._lookup(key)
        if self._must_wait(call, of):
            return
        self._admit(call, of)
        self._stop_timer(of)
        if not context.is_writable(of.context):
            self._recovered(of, [call])  # read-only since it was made
            return
        copies = of.shadow_copy_list
        snapshots = [copy.snapshot for copy in copies if copy.snapshot is not None]

        def then(outcome: Outcome, waits: list[Call]) -> None:
            if isinstance(outcome, Failed):
                self._fail(waits, of, outcome)
            elif waits and not of.doomed:  # when nobody waits, the next call seals once more
                self._recovered(of, waits)

        self._start(of, Seal(key, snapshots, of.exposed_names), [call], then)

    def _recovered(self, of: ShadowCopySet, waits: list[Call]) -> None:
        of.recovered = self._wall_clock()
        self.table.set_status(of, Status.RECOVERED)
        self._free_turn(of)
        self._save(of)
        self._succeed(waits, of)


def shadow_shares(of: ShadowCopySet) -> list[ShadowShare]:
    """The shadow copy shares of a set that has snapshots, as they are to be now."""
    sealed = of.status is Status.RECOVERED
    return [
        ShadowShare(
            name=mapped.shadow_copy_share_name,
            base=mapped.share,
            path=copy.path_of(mapped, copy.snapshot),
            comment=f"Shadow copy of {mapped.share}",
            read_only=sealed or not context.is_writable(of.context),
            shadow_copy_set_id=m.format_guid(of.shadow_copy_set_id),
            shadow_copy_id=m.format_guid(copy.shadow_copy_id),
        )
        for copy in of.shadow_copy_list
        for mapped in copy.share_mapping_list
        if copy.snapshot is not None
    ]
