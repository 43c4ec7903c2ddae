"""How a set comes to be: SetContext, Start, Add, Prepare and Commit.

Spec: MS-FSRVP 3.1.4.2 to 3.1.4.5 and 3.1.4.13.
"""

from __future__ import annotations

from typing import cast

from fsrvpd.core import messages as m
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Commit, Failed, Outcome, Prepare, Remove
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.model import MappedShare, ShadowCopy, ShadowCopySet, Status, filetime
from fsrvpd.protocol.ports import SharePlace
from fsrvpd.protocol.removal import Removal
from fsrvpd.protocol.rules import RULES, SHORT_TIMER
from fsrvpd.protocol.turns import Turn

YES = frozenset({"yes", "true", "on", "1"})  # how smb.conf spells a set boolean
MAX_SHARES = 64  # of one set: the Volume Shadow Copy service takes no more


class Creation(Removal):
    """The methods up to the moment at which the snapshots exist."""

    # 3.1.4.2, 3.1.4.3

    def _set_context(self, call: Call) -> None:
        wanted = cast(m.SetContext, call.request).context
        if not context.is_valid(wanted):
            why = f"{wanted:#x} is not a context (2.2.2.2)"
            raise PeerError(HResult.FSRVP_E_UNSUPPORTED_CONTEXT, why)
        address = call.caller.address
        turn = Turn(address, wanted)
        previous = self._turns.of(address)
        if previous is not None:
            self._require_turn(previous, address)
            turn.retry_count = previous.retry_count + 1
            self._take_over(previous)
        self._turns.begin(turn)
        self._turns.start_timer(turn, SHORT_TIMER, self._now)
        self._answer(call, m.StatusResponse(HResult.ZERO))

    def _require_turn(self, turn: Turn, address: str) -> None:
        if turn.client_address != address:
            why = f"client {turn.client_address} is creating a shadow copy set"
            raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)

    def _take_over(self, previous: Turn) -> None:
        """The same client begins anew: its unfinished set goes, up to a limit of tries."""
        self._turns.end(previous)
        unfinished = self.table.get(previous.shadow_copy_set_id or b"")
        if unfinished is not None:
            self._doom(unfinished, f"client {previous.client_address} called SetContext anew")
        limit = self.settings.dialect.retry_limit
        if limit is not None and previous.retry_count + 1 > limit:
            why = f"client {previous.client_address} set a context {limit} times without an end"
            raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)

    def _start_shadow_copy_set(self, call: Call) -> None:
        if cast(m.StartShadowCopySet, call.request).client_shadow_copy_set_id == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ClientShadowCopySetId is NULL (note 7)")
        address = call.caller.address
        turn = self._turns.of(address)
        if turn is None:
            why = f"client {address} has not called SetContext, or its timer elapsed"
            raise PeerError(HResult.FSRVP_E_BAD_STATE, why)
        self._require_turn(turn, address)
        self._require_no_set(turn)
        self._require_room(address)
        shadow_copy_set = ShadowCopySet(
            self._new_guid(),
            turn.context,
            address,
            call.caller.account,
            self._wall_clock(),
            boot=self.settings.boot_id,
            clock=self._now,
        )
        turn.shadow_copy_set_id = shadow_copy_set.shadow_copy_set_id
        self.table.add(shadow_copy_set)
        self._turns.start_timer(turn, SHORT_TIMER, self._now)
        self._save(shadow_copy_set, durable=False)
        self._answer(call, m.GuidResponse(HResult.ZERO, shadow_copy_set.shadow_copy_set_id))

    def _require_no_set(self, turn: Turn) -> None:
        other = self.table.get(turn.shadow_copy_set_id or b"")
        if other is not None:
            why = f"its set {m.format_guid(other.shadow_copy_set_id)} is {other.status.value}"
            raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)

    def _require_room(self, address: str) -> None:
        """What could not be removed yet takes room too."""
        settings, leaving = self.settings, self.leaving.values()
        of_client = self.table.of_client(address)
        of_client += sum(each.client_address == address for each in leaving)
        if len(self.table) + len(leaving) >= settings.max_sets:
            why = f"fsrvpd:max sets = {settings.max_sets} is reached"
        elif of_client >= settings.max_sets_per_client:
            why = (
                f"client {address} has reached"
                f" fsrvpd:max sets per client = {settings.max_sets_per_client}"
            )
        else:
            return
        raise PeerError(HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, why)

    # 3.1.4.4

    def _add_to_shadow_copy_set(self, call: Call) -> None:
        request = cast(m.AddToShadowCopySet, call.request)
        place = self._place(call)
        of = self._lookup(request.shadow_copy_set_id)
        if self._must_wait(call, of):
            return
        self._admit(call, of)
        if sum(len(copy.share_mapping_list) for copy in of.shadow_copy_list) >= MAX_SHARES:
            why = f"a set holds {MAX_SHARES} shares at most"
            raise PeerError(HResult.VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED, why)
        copy = self._copy_for(place, of)
        copy.share_mapping_list.append(
            MappedShare(request.share_name, place.share.name, place.directory)
        )
        copy.keep = copy.keep or _is_kept(place)
        self.table.set_status(of, Status.ADDED)
        self._start_timer(of, RULES[call.opnum].timer)
        self._save(of, durable=of.uncertain)
        self._answer(call, m.GuidResponse(HResult.ZERO, copy.shadow_copy_id))

    def _place(self, call: Call) -> SharePlace:
        if isinstance(call.place, SharePlace):
            return call.place
        raise call.place or PeerError(HResult.E_UNEXPECTED, "the share was not looked up")

    def _copy_for(self, place: SharePlace, of: ShadowCopySet) -> ShadowCopy:
        """The copy that a share is to be mapped to: a new one, or the volume's own."""
        copy = of.copy_of_volume(place.volume_name)
        if copy is None:
            copy = ShadowCopy(self._new_guid(), place, filetime(self._wall_clock()))
            of.shadow_copy_list.append(copy)
        elif not (self.settings.shared_volumes and copy.can_hold(place)):
            self._start_timer(of, SHORT_TIMER)
            why = f"the set holds a copy of {place.volume_root} already"
            raise PeerError(HResult.FSRVP_E_OBJECT_ALREADY_EXISTS, why)
        return copy

    # 3.1.4.13

    def _prepare_shadow_copy_set(self, call: Call) -> None:
        of = self._lookup(cast(m.PrepareShadowCopySet, call.request).shadow_copy_set_id)
        if self._must_wait(call, of):
            return
        self._admit(call, of)
        self._stop_timer(of)

        def then(outcome: Outcome, waits: list[Call]) -> None:
            if isinstance(outcome, Failed):
                self._fail(waits, of, outcome)
            else:
                self._foresee_commit(of)
                self._succeed(waits, of)

        job = Prepare(of.shadow_copy_set_id, self._requests(of.shadow_copy_list, of))
        self._start(of, job, [call], then)

    # 3.1.4.5

    def _commit_shadow_copy_set(self, call: Call) -> None:
        of = self._lookup(cast(m.CommitShadowCopySet, call.request).shadow_copy_set_id)
        if self._must_wait(call, of):
            return
        self._admit(call, of)
        self._stop_timer(of)
        self.table.set_status(of, Status.CREATION_IN_PROGRESS)
        self._foresee_commit(of)
        job = Commit(of.shadow_copy_set_id, self._requests(of.shadow_copy_list, of))
        self._start(of, job, [call], lambda outcome, waits: self._committed(of, outcome, waits))

    def _foresee_commit(self, of: ShadowCopySet) -> None:
        """The intent, durable before any disk is touched. Prepare has it written already,
        since the applications stand still from its answer to that of Commit."""
        if not of.uncertain and not of.doomed:
            of.uncertain = True
            self._save(of)

    def _committed(self, of: ShadowCopySet, outcome: Outcome, waits: list[Call]) -> None:
        if isinstance(outcome, Failed):
            self._commit_failed(of, outcome, waits)
        elif not waits and not of.doomed:
            # The applications have been thawed since: what was taken late is not theirs.
            self._undo(of, Remove(of.shadow_copy_set_id, snapshots=list(outcome.snapshots)))
        else:
            for copy, snapshot in zip(of.shadow_copy_list, outcome.snapshots):
                copy.snapshot = snapshot
            of.spread = outcome.spread
            of.uncertain = False
            self.table.set_status(of, Status.COMMITTED)
            self._save(of)
            self._succeed(waits, of)

    def _commit_failed(self, of: ShadowCopySet, failed: Failed, waits: list[Call]) -> None:
        """The failure may have come between two snapshots: what is there is looked for."""
        if of.doomed:
            return
        if failed.result == HResult.FSRVP_E_WAIT_FAILED:
            self.table.set_status(of, Status.ADDED)
        self._fail(waits, of, failed)
        requests = self._requests(of.shadow_copy_list, of)
        self._undo(of, Remove(of.shadow_copy_set_id, unknown=requests))


def _is_kept(place: SharePlace) -> bool:
    """`fsrvp:keep`: the snapshot outlives its share."""
    return place.share.options.get("keep", "no").strip().lower() in YES
