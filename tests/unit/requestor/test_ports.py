from __future__ import annotations

from fsrvpd.protocol.model import Status
from fsrvpd.requestor.ports import SetRecord, SetState, ShadowCopyRecord, ShareRoot


def test_states_are_those_of_the_server_that_the_client_can_know() -> None:
    """The client knows Prepared from the answer; CreationInProgress is never answered."""
    names = {state.value for state in SetState} - {"Prepared", "Removing"}
    assert names == {status.value for status in Status} - {"CreationInProgress"}


def test_records_are_values() -> None:
    root = ShareRoot(r"\\nas\data\a", r"\\nas\data", "nas", "data", "a")
    copy = ShadowCopyRecord(bytes(16), root)
    record = SetRecord(
        bytes(16), "nas", None, 0, SetState.STARTED, (copy,), None, "nightly", 1.5, 7
    )
    further = record._replace(state=SetState.ADDED, server_set_id=bytes(range(16)))
    assert {record, further, record._replace(pid=7)} == {record, further}
    assert copy.shadow_share is None
    assert copy.created is None
