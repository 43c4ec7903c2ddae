from __future__ import annotations

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.context import Principal
from fsrvpd.rpc.security.identity import mismatch

ALICE = "S-1-5-21-1-2-3-1000"
CALLER = Caller("192.0.2.1", "LAB\\alice", ALICE, frozenset({ALICE}), 0, 1000, False)


def test_one_account() -> None:
    assert mismatch(CALLER, Principal("alice@LAB.EXAMPLE", ALICE)) is None


def test_another_account_of_the_same_name() -> None:
    why = mismatch(CALLER, Principal("LAB\\alice", "S-1-5-21-1-2-3-1001"))
    assert why is not None
    assert "S-1-5-21-1-2-3-1001" in why


def test_a_group_of_the_caller_is_not_the_caller() -> None:
    caller = CALLER._replace(sids=frozenset({ALICE, "S-1-5-32-544"}))
    assert mismatch(caller, Principal("BUILTIN\\Administrators", "S-1-5-32-544")) is not None
