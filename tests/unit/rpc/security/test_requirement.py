from __future__ import annotations

import pytest

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.channels import Security
from fsrvpd.rpc.security.context import AuthLevel, Principal
from fsrvpd.rpc.security.requirement import Requirement

SID = "S-1-5-21-1-2-3-1000"
CALLER = Caller("192.0.2.1", "LAB\\alice", SID, frozenset({SID}), 0, 1000, False)
NOTHING, INTEGRITY, PRIVACY = (
    Requirement(False, False),
    Requirement(True, False),
    Requirement(True, True),
)


def security(level: AuthLevel, sid: str = SID) -> Security:
    return Security(1, level, Principal("alice", sid))


@pytest.mark.parametrize("level", list(AuthLevel)[1:])
def test_levels(level: AuthLevel) -> None:
    came = security(level)
    assert NOTHING.refusal(CALLER, came) is None
    assert (INTEGRITY.refusal(CALLER, came) is None) == (level >= AuthLevel.CALL)
    assert (PRIVACY.refusal(CALLER, came) is None) == (level == AuthLevel.PKT_PRIVACY)
    assert (Requirement(False, True).refusal(CALLER, came) is None) == (level == 6)


def test_without_authentication() -> None:
    assert NOTHING.refusal(CALLER, None) is None
    assert "not signed" in str(INTEGRITY.refusal(CALLER, None))
    assert "not sealed" in str(PRIVACY.refusal(CALLER, None))


@pytest.mark.parametrize("requirement", [NOTHING, INTEGRITY, PRIVACY])
@pytest.mark.parametrize("level", list(AuthLevel)[1:])
def test_another_account_never_passes(requirement: Requirement, level: AuthLevel) -> None:
    """Not even where nothing is required: who claims to be somebody must be the caller."""
    other = security(level, "S-1-5-21-1-2-3-1001")
    assert "but the SMB session belongs to" in str(requirement.refusal(CALLER, other))
