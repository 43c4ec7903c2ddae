"""The protocol as two tables: a row for each method, and a row for each purpose of a job.

docs/state-machine.svg is drawn from the first. Spec: MS-FSRVP 3.1.4.
"""

from __future__ import annotations

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server import (
    creation,
    exposure,
    maintenance,
    queries,
    removal,
    restart,
)
from fsrvpd.protocol.server.creation_session import LONG_TIMER, SHORT_TIMER
from fsrvpd.protocol.server.state_machine import (
    AgentState,
    Completion,
    MethodRule,
    Purpose,
    Removal,
)

METHODS = {
    Opnum.GetSupportedVersion: MethodRule("3.1.4.1", queries.get_supported_version),
    Opnum.SetContext: MethodRule("3.1.4.2", creation.set_context, timer=SHORT_TIMER),
    Opnum.StartShadowCopySet: MethodRule(
        "3.1.4.3",
        creation.start_shadow_copy_set,
        next_status=Status.STARTED,
        timer=SHORT_TIMER,
    ),
    Opnum.AddToShadowCopySet: MethodRule(
        "3.1.4.4",
        creation.add_to_shadow_copy_set,
        permitted=frozenset({Status.STARTED, Status.ADDED}),
        next_status=Status.ADDED,
        timer=LONG_TIMER,
    ),
    Opnum.CommitShadowCopySet: MethodRule(
        "3.1.4.5",
        creation.commit_shadow_copy_set,
        permitted=frozenset({Status.ADDED, Status.CREATION_IN_PROGRESS}),
        running_status=Status.CREATION_IN_PROGRESS,
        next_status=Status.COMMITTED,
        wait_failed_status=Status.ADDED,
        timer=SHORT_TIMER,
        purpose=Purpose.COMMIT,
        timeout_result=HResult.FSSAGENT_E_TIMEOUT,
    ),
    Opnum.ExposeShadowCopySet: MethodRule(
        "3.1.4.6",
        exposure.expose_shadow_copy_set,
        permitted=frozenset({Status.COMMITTED}),
        next_status=Status.EXPOSED,
        timer=SHORT_TIMER,
        purpose=Purpose.EXPOSE,
    ),
    Opnum.RecoveryCompleteShadowCopySet: MethodRule(
        "3.1.4.7",
        exposure.recovery_complete_shadow_copy_set,
        permitted=frozenset({Status.EXPOSED}),
        next_status=Status.RECOVERED,
        purpose=Purpose.RECOVER,
    ),
    # MS-FSRVP permits Abort in any Status; Microsoft's test suite expects BAD_STATE once a
    # set is Recovered, which is no longer a set that is being created.
    Opnum.AbortShadowCopySet: MethodRule(
        "3.1.4.8",
        removal.abort_shadow_copy_set,
        permitted=frozenset(Status) - {Status.RECOVERED},
        removes=Removal.SET,
    ),
    Opnum.IsPathSupported: MethodRule("3.1.4.9", queries.is_path_supported),
    Opnum.IsPathShadowCopied: MethodRule("3.1.4.10", queries.is_path_shadow_copied),
    Opnum.GetShareMapping: MethodRule(
        "3.1.4.11",
        queries.get_share_mapping,
        permitted=frozenset({Status.EXPOSED, Status.RECOVERED}),
        timer=LONG_TIMER,
    ),
    Opnum.DeleteShareMapping: MethodRule(
        "3.1.4.12",
        removal.delete_share_mapping,
        permitted=frozenset({Status.EXPOSED, Status.RECOVERED}),
        removes=Removal.MAPPING,
    ),
    Opnum.PrepareShadowCopySet: MethodRule(
        "3.1.4.13",
        creation.prepare_shadow_copy_set,
        permitted=frozenset({Status.ADDED}),
        timer=LONG_TIMER,
        purpose=Purpose.PREPARE,
    ),
}

COMPLETIONS = {
    Purpose.PREPARE: Completion(creation.prepared, AgentState.refuse_waiters),
    Purpose.COMMIT: Completion(creation.committed, creation.commit_failed),
    Purpose.EXPOSE: Completion(exposure.exposed, AgentState.refuse_waiters),
    Purpose.RECOVER: Completion(exposure.recovered, AgentState.refuse_waiters),
    Purpose.DELETE_MAPPING: Completion(removal.mapping_deleted, removal.removal_failed),
    Purpose.REMOVE_SET: Completion(removal.set_removed, removal.removal_failed),
    Purpose.ROLL_BACK: Completion(removal.rolled_back, removal.roll_back_failed),
    Purpose.UNEXPOSE_PARTIAL: Completion(restart.unexposed, restart.unexpose_failed),
    Purpose.CONCLUDE: Completion(restart.concluded, restart.not_concluded),
    Purpose.RECREATE_SHARES: Completion(maintenance.shares_recreated, maintenance.recreate_failed),
}
