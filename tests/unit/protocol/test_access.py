from __future__ import annotations

import pytest

from fsrvpd.protocol.access import refusal
from fsrvpd.protocol.ports import Caller

USERS = "S-1-5-32-545"


def caller(
    sids: tuple[str, ...] = (USERS,), privileges: int = 0, uid: int = 1000, anonymous: bool = False
) -> Caller:
    return Caller("10.0.0.1", "DOM\\u", "S-1-5-21-1", frozenset(sids), privileges, uid, anonymous)


@pytest.mark.spec("3.1.4-2")
@pytest.mark.parametrize(
    "granted",
    [
        caller((USERS, "S-1-5-32-544")),
        caller((USERS, "S-1-5-32-551")),
        caller(privileges=0x200),
        caller(privileges=0xFFFFFFFF),
        caller(uid=0),
    ],
    ids=["Administrators", "Backup Operators", "SeBackupPrivilege", "all privileges", "uid 0"],
)
def test_who_may_call(granted: Caller) -> None:
    assert refusal(granted) is None


@pytest.mark.spec("3.1.4-2")
@pytest.mark.parametrize(
    "refused",
    [
        caller(),
        caller(()),
        caller(("S-1-5-32-5440", "S-1-5-21-1-2-3-544", "S-1-5-32-55")),
        caller(privileges=0x400),
        caller(privileges=0x100),
        caller(uid=-1),
        caller(("S-1-5-32-544",), 0x200, 0, anonymous=True),
        caller(uid=0, anonymous=True),
    ],
)
def test_who_may_not(refused: Caller) -> None:
    assert refusal(refused)
