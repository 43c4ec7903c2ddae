"""The agent of MS-FSRVP 3.1: the thirteen methods as a state machine without I/O.

`rules.RULES` says in which Status a method is permitted and what timer it starts,
`creation`, `exposure` and `removal` what the methods do, `upkeep` what happens without
them, `machine` what holds them together.
"""

from __future__ import annotations

from typing import Callable

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.errors import PeerError
from fsrvpd.protocol.creation import Creation
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.machine import Call
from fsrvpd.protocol.outcome import hresult_of
from fsrvpd.protocol.upkeep import Upkeep

FSRVP_RPC_VERSION_1 = 1  # 2.2.2.4


class Agent(Creation, Upkeep):
    """Calls, ends of jobs and time come in through `call`, `finished` and `tick`."""

    def _dispatch(self, call: Call) -> None:
        try:
            _METHODS[call.opnum](self, call)
        except PeerError as error:
            self._refuse(call, hresult_of(error), str(error))

    # 3.1.4.1

    def _get_supported_version(self, call: Call) -> None:
        version = FSRVP_RPC_VERSION_1
        self._answer(call, m.VersionResponse(HResult.ZERO, version, version))

    # 3.1.4.9, 3.1.4.10

    def _is_path_supported(self, call: Call) -> None:
        self._place(call)
        owner = self.settings.owner_machine_name
        self._answer(call, m.PathSupportedResponse(HResult.ZERO, True, owner))

    def _is_path_shadow_copied(self, call: Call) -> None:
        try:
            present = self.table.has_shadow_copy(self._place(call).volume_name)
        except PeerError as error:
            if error.result != HResult.FSRVP_E_NOT_SUPPORTED:
                raise
            present = False  # no copies can be taken there, so there are none
        # Neither defragmentation nor indexing is hindered by any provider: no bit is set.
        self._answer(call, m.PathShadowCopiedResponse(HResult.ZERO, present, 0))


_METHODS: dict[Opnum, Callable[[Agent, Call], None]] = {
    Opnum.GetSupportedVersion: Agent._get_supported_version,
    Opnum.SetContext: Agent._set_context,
    Opnum.StartShadowCopySet: Agent._start_shadow_copy_set,
    Opnum.AddToShadowCopySet: Agent._add_to_shadow_copy_set,
    Opnum.CommitShadowCopySet: Agent._commit_shadow_copy_set,
    Opnum.ExposeShadowCopySet: Agent._expose_shadow_copy_set,
    Opnum.RecoveryCompleteShadowCopySet: Agent._recovery_complete,
    Opnum.AbortShadowCopySet: Agent._abort_shadow_copy_set,
    Opnum.IsPathSupported: Agent._is_path_supported,
    Opnum.IsPathShadowCopied: Agent._is_path_shadow_copied,
    Opnum.GetShareMapping: Agent._get_share_mapping,
    Opnum.DeleteShareMapping: Agent._delete_share_mapping,
    Opnum.PrepareShadowCopySet: Agent._prepare_shadow_copy_set,
}
