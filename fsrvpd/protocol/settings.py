"""The agent's settings, and the two dialects of the protocol."""

from __future__ import annotations

from typing import NamedTuple, Optional

from fsrvpd.protocol.hresult import HResult


class Dialect(NamedTuple):
    """The answers in which Windows Server 2012 differs from MS-FSRVP.

    `ws2012` is what Samba's own agent gives and its suite `rpc.fsrvp` (4.13 to 4.25) tests.
    """

    name: str
    unknown_set: HResult  # opnums 3, 4, 5, 6, 7, 10 and 12
    unknown_mapping: HResult  # copy or share, in DeleteShareMapping
    mapping_too_early: HResult  # GetShareMapping before Expose (note 10)
    exposed_is_finished: bool  # no timer and no SetContext removes an Exposed set
    retry_limit: Optional[int]  # of SetContext by one client (note 5); None: no limit


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
    """`sequence_timeout` in seconds replaces both values of the Message Sequence Timer; None
    keeps those of MS-FSRVP. `parallel_sets`: each client address has a context of its own,
    otherwise the server has one. `shared_volumes`: several shares of a volume are mapped to one
    snapshot. `boot_id` identifies this boot of the server, `state_id` the store. `life` is that of
    a cluster, in which one node is up at least, "" for a single server. The maximum ages are in
    seconds; 0: no limit. `reboot_ends_sets`: those without PERSISTENT do not outlive the boot, or
    the life, in which they began."""

    owner_machine_name: str
    dialect: Dialect = CURRENT
    sequence_timeout: Optional[int] = None
    parallel_sets: bool = True
    shared_volumes: bool = False
    max_sets: int = 10_000
    max_sets_per_client: int = 64
    boot_id: str = ""
    life: str = ""
    state_id: str = ""
    auto_release_max_age: int = 86_400
    persistent_max_age: int = 0
    reboot_ends_sets: bool = True

    def max_age(self, *, persistent: bool) -> int:
        """Of a set, in seconds; 0: no limit."""
        return self.persistent_max_age if persistent else self.auto_release_max_age
