"""The methods that only ask: GetSupportedVersion, IsPathSupported, IsPathShadowCopied and
GetShareMapping.

Spec: MS-FSRVP 3.1.4.1 and 3.1.4.9 to 3.1.4.11.
"""

from __future__ import annotations

from typing import cast

from fsrvpd import filetime
from fsrvpd.core import messages as m
from fsrvpd.errors import PeerError
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.server.share_name import share_of
from fsrvpd.protocol.server.state_machine import AgentState, require_location, require_mapping

LEVEL_1 = 1  # of GetShareMapping


def get_supported_version(state: AgentState, call: Call) -> None:
    """3.1.4.1"""
    version = m.FSRVP_RPC_VERSION_1
    state.reply(call, m.VersionResponse(HResult.ZERO, version, version))


def is_path_supported(state: AgentState, call: Call) -> None:
    """3.1.4.9"""
    require_location(call)
    owner = state.settings.owner_machine_name
    state.reply(call, m.PathSupportedResponse(HResult.ZERO, True, owner))


def is_path_shadow_copied(state: AgentState, call: Call) -> None:
    """3.1.4.10"""
    try:
        present = state.table.has_shadow_copy(require_location(call).volume_name)
    except PeerError as error:
        if error.result != HResult.FSRVP_E_NOT_SUPPORTED:
            raise
        present = False  # no copies can be taken there, so there are none
    # Neither defragmentation nor indexing is hindered by any provider: no bit is set.
    state.reply(call, m.PathShadowCopiedResponse(HResult.ZERO, present, 0))


def get_share_mapping(state: AgentState, call: Call) -> None:
    """3.1.4.11"""
    request = cast(m.GetShareMapping, call.request)
    if request.level != LEVEL_1:
        raise PeerError(HResult.E_INVALIDARG, f"level {request.level} is not 1")
    too_early = state.settings.dialect.mapping_too_early
    shadow_copy_set = state.admit(call, request.shadow_copy_set_id, wrong_status=too_early)
    if shadow_copy_set is None:
        return
    share = share_of(request.share_name, state.own_names)
    unknown = HResult.E_INVALIDARG
    copy, mapped = require_mapping(shadow_copy_set, request.shadow_copy_id, share, unknown)
    state.start_timer(shadow_copy_set, state.methods[call.opnum].timer)
    mapping = m.ShareMapping1(
        shadow_copy_set.shadow_copy_set_id,
        copy.shadow_copy_id,
        mapped.share_name,
        mapped.shadow_copy_share_name if mapped.is_exposed else None,
        filetime.from_unix(copy.created),
    )
    state.reply(call, m.ShareMappingResponse(HResult.ZERO, LEVEL_1, mapping))
