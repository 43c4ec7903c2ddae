"""What an admin can choose about the agent, and the two dialects it speaks."""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.protocol.hresult import HResult


class Dialect(NamedTuple):
    """Where Windows Server 2012 and the document answer differently.

    `ws2012` is what Samba's own agent and its suite `rpc.fsrvp` (4.13 to 4.25) pin.
    """

    name: str
    unknown_set: HResult  # opnums 3, 4, 5, 6, 7, 10 and 12
    unknown_mapping: HResult  # copy or share, in DeleteShareMapping
    mapping_too_early: HResult  # GetShareMapping before Expose (note 10)
    exposed_is_finished: bool  # neither timer nor SetContext removes an Exposed set
    retry_limit: Optional[int]  # of SetContext by one client (note 5)


CURRENT = Dialect(
    name="current",
    unknown_set=HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
    unknown_mapping=HResult.FSRVP_E_OBJECT_NOT_FOUND,
    mapping_too_early=HResult.FSRVP_E_BAD_STATE,
    exposed_is_finished=False,
    retry_limit=5,
)
WS2012 = Dialect(
    name="ws2012",
    unknown_set=HResult.E_INVALIDARG,
    unknown_mapping=HResult.E_INVALIDARG,
    mapping_too_early=HResult.VSS_E_BAD_STATE_2012,
    exposed_is_finished=True,
    retry_limit=None,
)
DIALECTS = {dialect.name: dialect for dialect in (CURRENT, WS2012)}


class AgentSettings(NamedTuple):
    """`sequence_timeout` in seconds replaces every message sequence timer, None leaves
    the document's. `parallel_sets`: the context belongs to a client address, not to the
    server. `shared_volumes`: several shares of a volume are mapped onto one snapshot.
    `boot_id` names this boot of the server, `state_id` the store; the ages are in seconds,
    0 for never."""

    owner_machine_name: str
    dialect: Dialect = CURRENT
    sequence_timeout: Optional[int] = None
    parallel_sets: bool = True
    shared_volumes: bool = False
    max_sets: int = 10_000
    max_sets_per_client: int = 64
    boot_id: str = ""
    state_id: str = ""
    auto_release_max_age: int = 86_400
    persistent_max_age: int = 0
