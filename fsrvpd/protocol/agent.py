"""The thirteen methods of MS-FSRVP 3.1.4 as a state machine without I/O.

`rules.RULES` says in which Status a method is permitted and what timer it starts;
`machine.Machine` holds sets, turns and jobs. A refused call changes nothing but where the
document says so (a second share of a volume shortens the timer, 3.1.4.4).
"""

from __future__ import annotations

from collections.abc import Set
from typing import Callable, Optional, cast

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Guid, Opnum
from fsrvpd.errors import PeerError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Commit, Expose, Failed, Forget, Outcome, Prepare, Remove, Seal
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call, Machine, Wait
from fsrvpd.protocol.model import (
    MappedShare,
    ShadowCopy,
    ShadowCopySet,
    Status,
    filetime,
    shadow_copy_share_name,
)
from fsrvpd.protocol.outcome import hresult_of
from fsrvpd.protocol.ports import ShadowShare, SharePlace
from fsrvpd.protocol.rules import RULES, SHORT_TIMER
from fsrvpd.protocol.settings import AgentSettings
from fsrvpd.protocol.turns import Turn
from fsrvpd.protocol.unc import share_of

FSRVP_RPC_VERSION_1 = 1  # 2.2.2.4
LEVEL_1 = 1  # of GetShareMapping
ABORT_PATIENCE = 150.0  # s; a Windows client gives a call up after 180 s
YES = frozenset({"yes", "true", "on", "1"})  # how smb.conf spells a set boolean


class Agent(Machine):
    """The agent. `own_names` are this server's names and addresses, case-folded; the
    daemon keeps them current."""

    def __init__(
        self,
        settings: AgentSettings,
        new_guid: Callable[[], Guid],
        wall_clock: Callable[[], float],
        own_names: Set[str] = frozenset(),
    ) -> None:
        super().__init__(settings, new_guid, wall_clock)
        self.own_names = own_names
        self._methods: dict[Opnum, Callable[[Call], None]] = {
            Opnum.GetSupportedVersion: self._get_supported_version,
            Opnum.SetContext: self._set_context,
            Opnum.StartShadowCopySet: self._start_shadow_copy_set,
            Opnum.AddToShadowCopySet: self._add_to_shadow_copy_set,
            Opnum.CommitShadowCopySet: self._commit_shadow_copy_set,
            Opnum.ExposeShadowCopySet: self._expose_shadow_copy_set,
            Opnum.RecoveryCompleteShadowCopySet: self._recovery_complete,
            Opnum.AbortShadowCopySet: self._abort_shadow_copy_set,
            Opnum.IsPathSupported: self._is_path_supported,
            Opnum.IsPathShadowCopied: self._is_path_shadow_copied,
            Opnum.GetShareMapping: self._get_share_mapping,
            Opnum.DeleteShareMapping: self._delete_share_mapping,
            Opnum.PrepareShadowCopySet: self._prepare_shadow_copy_set,
        }

    def _dispatch(self, call: Call) -> None:
        try:
            self._methods[call.opnum](call)
        except PeerError as error:
            self._refuse(call, hresult_of(error), str(error))

    # What several methods ask first.

    def _lookup(self, key: Guid, unknown: Optional[HResult] = None) -> ShadowCopySet:
        if key == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ShadowCopySetId is NULL (3.1.4)")
        shadow_copy_set = self.table.get(key)
        if shadow_copy_set is None:
            result = self.settings.dialect.unknown_set if unknown is None else unknown
            raise PeerError(result, f"there is no shadow copy set {m.format_guid(key)}")
        return shadow_copy_set

    def _admit(
        self, call: Call, of: ShadowCopySet, result: HResult = HResult.FSRVP_E_BAD_STATE
    ) -> None:
        rule = RULES[call.opnum]
        if of.status not in rule.permitted:
            why = f"{call.opnum.name} is not permitted in Status {of.status.value}"
            raise PeerError(result, f"{why} ({rule.section})")

    def _queued(self, call: Call, of: ShadowCopySet) -> bool:
        """Put a call behind the job of its set, if there is one."""
        work = self._work.get(of.shadow_copy_set_id)
        if work is None:
            return False
        work.queue.append(call)
        return True

    def _succeed(self, call: Call, of: ShadowCopySet) -> None:
        timer = RULES[call.opnum].timer
        if timer:
            self._start_timer(of, timer)
        self._answer(call, m.StatusResponse(HResult.ZERO))

    def _fail(self, of: ShadowCopySet, waits: list[Wait], failed: Failed) -> None:
        self._start_timer(of, SHORT_TIMER)
        for wait in waits:
            self._refuse(wait.call, failed.result, failed.reason)

    def _wait(self, call: Call, milliseconds: int, late: HResult) -> Wait:
        return Wait(call, self._now + milliseconds / 1000, late)

    # 3.1.4.1 to 3.1.4.3: before there is a set.

    def _get_supported_version(self, call: Call) -> None:
        version = FSRVP_RPC_VERSION_1
        self._answer(call, m.VersionResponse(HResult.ZERO, version, version))

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
        if unfinished is not None and not self._is_finished(unfinished):
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
            self._new_guid(), turn.context, address, call.caller.account, self._wall_clock()
        )
        turn.shadow_copy_set_id = shadow_copy_set.shadow_copy_set_id
        self.table.add(shadow_copy_set)
        self._turns.start_timer(turn, SHORT_TIMER, self._now)
        self._save(shadow_copy_set)
        self._answer(call, m.GuidResponse(HResult.ZERO, shadow_copy_set.shadow_copy_set_id))

    def _require_no_set(self, turn: Turn) -> None:
        other = self.table.get(turn.shadow_copy_set_id or b"")
        if other is not None and not self._is_finished(other):
            why = f"its set {m.format_guid(other.shadow_copy_set_id)} is {other.status.value}"
            raise PeerError(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS, why)

    def _require_room(self, address: str) -> None:
        settings = self.settings
        if len(self.table) >= settings.max_sets:
            why = f"there are {len(self.table)} sets: fsrvpd:max sets is reached"
        elif self.table.of_client(address) >= settings.max_sets_per_client:
            why = f"client {address} has reached fsrvpd:max sets per client"
        else:
            return
        raise PeerError(HResult.VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, why)

    # 3.1.4.4, 3.1.4.13, 3.1.4.5: a set is filled, prepared and committed.

    def _add_to_shadow_copy_set(self, call: Call) -> None:
        request = cast(m.AddToShadowCopySet, call.request)
        place = self._place(call)
        shadow_copy_set = self._lookup(request.shadow_copy_set_id)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        if shadow_copy_set.copy_of_volume(place.volume_name):
            self._start_timer(shadow_copy_set, SHORT_TIMER)
            why = f"the set holds a copy of {place.volume_root} already"
            raise PeerError(HResult.FSRVP_E_OBJECT_ALREADY_EXISTS, why)
        created = filetime(self._wall_clock())
        copy = ShadowCopy(self._new_guid(), place, created)
        copy.share_mapping_list.append(MappedShare(request.share_name, place.share.name))
        shadow_copy_set.shadow_copy_list.append(copy)
        self.table.set_status(shadow_copy_set, Status.ADDED)
        self._start_timer(shadow_copy_set, RULES[call.opnum].timer)
        self._save(shadow_copy_set)
        self._answer(call, m.GuidResponse(HResult.ZERO, copy.shadow_copy_id))

    def _place(self, call: Call) -> SharePlace:
        if isinstance(call.place, SharePlace):
            return call.place
        raise call.place or PeerError(HResult.E_UNEXPECTED, "the share was not looked up")

    def _prepare_shadow_copy_set(self, call: Call) -> None:
        request = cast(m.PrepareShadowCopySet, call.request)
        shadow_copy_set = self._lookup(request.shadow_copy_set_id)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        self._stop_timer(shadow_copy_set)

        def then(outcome: Outcome, waits: list[Wait]) -> None:
            if isinstance(outcome, Failed):
                self._fail(shadow_copy_set, waits, outcome)
                return
            for wait in waits:
                self._succeed(wait.call, shadow_copy_set)

        late = HResult.FSRVP_E_WAIT_TIMEOUT
        wait = self._wait(call, request.timeout_in_milliseconds, late)
        requests = self._requests(shadow_copy_set.shadow_copy_list, shadow_copy_set)
        self._start(shadow_copy_set, Prepare(request.shadow_copy_set_id, requests), wait, then)

    def _commit_shadow_copy_set(self, call: Call) -> None:
        request = cast(m.CommitShadowCopySet, call.request)
        shadow_copy_set = self._lookup(request.shadow_copy_set_id)
        late = HResult.FSSAGENT_E_TIMEOUT
        wait = self._wait(call, request.timeout_in_milliseconds, late)
        work = self._work.get(request.shadow_copy_set_id)
        if work is not None and isinstance(work.job, Commit):
            self._stop_timer(shadow_copy_set)
            work.waits.append(wait)  # a client may go on waiting after a time-out
            return
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        self._stop_timer(shadow_copy_set)
        self.table.set_status(shadow_copy_set, Status.CREATION_IN_PROGRESS)
        self._save(shadow_copy_set)
        requests = self._requests(shadow_copy_set.shadow_copy_list, shadow_copy_set)
        job = Commit(request.shadow_copy_set_id, requests)
        self._start(shadow_copy_set, job, wait, lambda o, w: self._committed(shadow_copy_set, o, w))

    def _committed(self, of: ShadowCopySet, outcome: Outcome, waits: list[Wait]) -> None:
        if isinstance(outcome, Failed):
            if outcome.result == HResult.FSRVP_E_WAIT_FAILED:
                self.table.set_status(of, Status.ADDED)
            self._fail(of, waits, outcome)
        elif of.doomed:
            for copy, snapshot in zip(of.shadow_copy_list, outcome.snapshots):
                copy.snapshot = snapshot
        elif not waits:
            # The applications have been thawed since: what was taken late is not theirs.
            late = Remove(of.shadow_copy_set_id, snapshots=list(outcome.snapshots))
            self._start(of, late, None, lambda o, w: self._late_removed(of, o))
        else:
            for copy, snapshot in zip(of.shadow_copy_list, outcome.snapshots):
                copy.snapshot = snapshot
            self.table.set_status(of, Status.COMMITTED)
            self._save(of)
            for wait in waits:
                self._succeed(wait.call, of)

    def _late_removed(self, of: ShadowCopySet, outcome: Outcome) -> None:
        text = "a result that came after its time-out was undone"
        if isinstance(outcome, Failed):
            text = f"a result that came after its time-out is still there: {outcome.reason}"
        self._event("late-result", of.shadow_copy_set_id, text)

    # 3.1.4.6, 3.1.4.7: a set is exposed and recovered.

    def _expose_shadow_copy_set(self, call: Call) -> None:
        request = cast(m.ExposeShadowCopySet, call.request)
        shadow_copy_set = self._lookup(request.shadow_copy_set_id)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        self._stop_timer(shadow_copy_set)
        for copy in shadow_copy_set.shadow_copy_list:
            for mapped in copy.share_mapping_list:
                name = shadow_copy_share_name(mapped.share, copy.shadow_copy_id)
                mapped.shadow_copy_share_name = name
        self._save(shadow_copy_set)  # the intent: these shares may exist from now on
        late = HResult.FSRVP_E_WAIT_TIMEOUT
        wait = self._wait(call, request.timeout_in_milliseconds, late)
        job = Expose(request.shadow_copy_set_id, _shadow_shares(shadow_copy_set))
        self._start(shadow_copy_set, job, wait, lambda o, w: self._exposed(shadow_copy_set, o, w))

    def _exposed(self, of: ShadowCopySet, outcome: Outcome, waits: list[Wait]) -> None:
        if isinstance(outcome, Failed):
            self._fail(of, waits, outcome)
        elif of.doomed:
            return  # the removal that follows knows the names
        elif not waits:
            late = Remove(of.shadow_copy_set_id, names=of.exposed_names)
            self._start(of, late, None, lambda o, w: self._late_removed(of, o))
        else:
            for copy in of.shadow_copy_list:
                for mapped in copy.share_mapping_list:
                    mapped.is_exposed = True
            self.table.set_status(of, Status.EXPOSED)
            if self._is_finished(of):
                self._free_turn(of)
            self._save(of)
            for wait in waits:
                self._succeed(wait.call, of)

    def _recovery_complete(self, call: Call) -> None:
        key = cast(m.RecoveryCompleteShadowCopySet, call.request).shadow_copy_set_id
        shadow_copy_set = self._lookup(key)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        self._stop_timer(shadow_copy_set)
        if not context.is_writable(shadow_copy_set.context):
            self._recovered(shadow_copy_set, [Wait(call)])  # read-only since it was made
            return
        copies = shadow_copy_set.shadow_copy_list
        snapshots = [copy.snapshot for copy in copies if copy.snapshot is not None]

        def then(outcome: Outcome, waits: list[Wait]) -> None:
            if isinstance(outcome, Failed):
                self._fail(shadow_copy_set, waits, outcome)
            elif not shadow_copy_set.doomed:
                self._recovered(shadow_copy_set, waits)

        job = Seal(key, snapshots, shadow_copy_set.exposed_names)
        self._start(shadow_copy_set, job, Wait(call), then)

    def _recovered(self, of: ShadowCopySet, waits: list[Wait]) -> None:
        of.recovered = self._wall_clock()
        self.table.set_status(of, Status.RECOVERED)
        self._free_turn(of)
        self._save(of)
        for wait in waits:
            self._succeed(wait.call, of)

    # 3.1.4.8, 3.1.4.12: a set ends.

    def _abort_shadow_copy_set(self, call: Call) -> None:
        key = cast(m.AbortShadowCopySet, call.request).shadow_copy_set_id
        shadow_copy_set = self._lookup(key)
        self._admit(call, shadow_copy_set)
        wait = Wait(call, self._now + ABORT_PATIENCE, HResult.FSRVP_E_WAIT_TIMEOUT)
        self._doom(shadow_copy_set, f"{call.caller.account} aborted it", wait)

    def _delete_share_mapping(self, call: Call) -> None:
        request = cast(m.DeleteShareMapping, call.request)
        share = share_of(request.share_name, self.own_names)
        if request.shadow_copy_id == m.NULL_GUID:
            raise PeerError(HResult.E_INVALIDARG, "ShadowCopyId is NULL")
        not_found = HResult.FSRVP_E_OBJECT_NOT_FOUND
        shadow_copy_set = self._lookup(request.shadow_copy_set_id, unknown=not_found)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set)
        unknown = self.settings.dialect.unknown_mapping
        copy, mapped = _find_mapping(shadow_copy_set, request.shadow_copy_id, share, unknown)
        self._remove_mapping(shadow_copy_set, copy, mapped, Wait(call))

    def _remove_mapping(
        self, of: ShadowCopySet, copy: ShadowCopy, mapped: MappedShare, wait: Optional[Wait]
    ) -> None:
        job = Remove(of.shadow_copy_set_id, names=[mapped.shadow_copy_share_name])
        if len(copy.share_mapping_list) == 1:
            copy.deleting = True
            self._save(of)
            if copy.snapshot is not None and not _is_kept(copy):
                job.snapshots.append(copy.snapshot)

        def then(outcome: Outcome, waits: list[Wait]) -> None:
            if isinstance(outcome, Failed):
                for wait in waits:
                    self._refuse(wait.call, outcome.result, outcome.reason)
                return
            copy.share_mapping_list.remove(mapped)
            self._drop_if_empty(of, copy)
            for wait in waits:
                self._succeed(wait.call, of)

        self._start(of, job, wait, then)

    def _drop_if_empty(self, of: ShadowCopySet, copy: ShadowCopy) -> None:
        if not copy.share_mapping_list:
            self.table.remove_copy(of, copy)
        if of.shadow_copy_list:
            self._save(of)
        elif not of.doomed:
            self._free_turn(of)  # the creation is over, though nobody completed it
            self.table.remove(of)
            self._actions.append(Forget(of.shadow_copy_set_id))

    def _resume_deletion(self, shadow_copy_set: ShadowCopySet) -> None:
        deleting = [copy for copy in shadow_copy_set.shadow_copy_list if copy.deleting]
        for copy in deleting[:1]:  # one job a set; jobs of DeleteShareMapping never overlap
            self._remove_mapping(shadow_copy_set, copy, copy.share_mapping_list[0], None)

    # 3.1.4.9 to 3.1.4.11: questions.

    def _is_path_supported(self, call: Call) -> None:
        self._place(call)
        owner = self.settings.owner_machine_name
        self._answer(call, m.PathSupportedResponse(HResult.ZERO, True, owner))

    def _is_path_shadow_copied(self, call: Call) -> None:
        present = self.table.has_shadow_copy(self._place(call).volume_name)
        # Neither defragmentation nor indexing is hindered by any provider: no bit is set.
        self._answer(call, m.PathShadowCopiedResponse(HResult.ZERO, present, 0))

    def _get_share_mapping(self, call: Call) -> None:
        request = cast(m.GetShareMapping, call.request)
        if request.level != LEVEL_1:
            raise PeerError(HResult.E_INVALIDARG, f"level {request.level} is not 1")
        share = share_of(request.share_name, self.own_names)
        shadow_copy_set = self._lookup(request.shadow_copy_set_id)
        if self._queued(call, shadow_copy_set):
            return
        self._admit(call, shadow_copy_set, self.settings.dialect.mapping_too_early)
        invalid = HResult.E_INVALIDARG
        copy, mapped = _find_mapping(shadow_copy_set, request.shadow_copy_id, share, invalid)
        self._start_timer(shadow_copy_set, RULES[call.opnum].timer)
        mapping = m.ShareMapping1(
            shadow_copy_set.shadow_copy_set_id,
            copy.shadow_copy_id,
            mapped.share_name,
            mapped.shadow_copy_share_name if mapped.is_exposed else None,
            copy.creation_timestamp,
        )
        self._answer(call, m.ShareMappingResponse(HResult.ZERO, LEVEL_1, mapping))


def _find_mapping(
    of: ShadowCopySet, shadow_copy_id: Guid, share: str, unknown: HResult
) -> tuple[ShadowCopy, MappedShare]:
    copy = of.copy(shadow_copy_id)
    if copy is None:
        raise PeerError(unknown, f"the set has no shadow copy {m.format_guid(shadow_copy_id)}")
    mapped = copy.mapped_share(share)
    if mapped is None:
        raise PeerError(unknown, f"share {share!r} is not mapped to this shadow copy")
    return copy, mapped


def _shadow_shares(of: ShadowCopySet) -> list[ShadowShare]:
    return [
        ShadowShare(
            name=mapped.shadow_copy_share_name,
            base=mapped.share,
            path=copy.snapshot.share_path,
            comment=f"Shadow copy of {mapped.share}",
            read_only=not context.is_writable(of.context),
            shadow_copy_set_id=m.format_guid(of.shadow_copy_set_id),
            shadow_copy_id=m.format_guid(copy.shadow_copy_id),
        )
        for copy in of.shadow_copy_list
        for mapped in copy.share_mapping_list
        if copy.snapshot is not None
    ]


def _is_kept(copy: ShadowCopy) -> bool:
    """`fsrvp:keep`: the snapshot outlives its share."""
    return copy.place.share.options.get("keep", "no").strip().lower() in YES
