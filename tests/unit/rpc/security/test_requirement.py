from __future__ import annotations

import pytest

from fsrvpd.protocol.ports import Caller
from fsrvpd.rpc.security.channels import Security
from fsrvpd.rpc.security.context import AuthLevel, Principal
from fsrvpd.rpc.security.requirement import RequiredProtection, user_mismatch

SID = "S-1-5-21-1-2-3-1000"
OWN = "S-1-5-21-7-8-9"
CALLER = Caller("192.0.2.1", "LAB\\alice", SID, frozenset({SID}), 0, 1000, False)
NOTHING, INTEGRITY, PRIVACY = (
    RequiredProtection(False, False),
    RequiredProtection(True, False),
    RequiredProtection(True, True),
)


def security(level: AuthLevel, sid: str = SID) -> Security:
    return Security(1, level, Principal("alice", sid))


@pytest.mark.parametrize("level", list(AuthLevel)[1:])
def test_levels(level: AuthLevel) -> None:
    came = security(level)
    assert NOTHING.refusal(CALLER, came) is None
    assert (INTEGRITY.refusal(CALLER, came) is None) == (level >= AuthLevel.CALL)
    assert (PRIVACY.refusal(CALLER, came) is None) == (level == AuthLevel.PKT_PRIVACY)
    assert (RequiredProtection(False, True).refusal(CALLER, came) is None) == (level == 6)


def test_without_authentication() -> None:
    assert NOTHING.refusal(CALLER, None) is None
    assert "not signed" in str(INTEGRITY.refusal(CALLER, None))
    assert "not sealed" in str(PRIVACY.refusal(CALLER, None))


@pytest.mark.parametrize("requirement", [NOTHING, INTEGRITY, PRIVACY])
@pytest.mark.parametrize("level", list(AuthLevel)[1:])
def test_another_account_never_passes(requirement: RequiredProtection, level: AuthLevel) -> None:
    """Not even when nothing is required: an authenticated client must be the caller."""
    other = security(level, "S-1-5-21-1-2-3-1001")
    assert "but the SMB session belongs to" in str(requirement.refusal(CALLER, other))


def test_one_account() -> None:
    assert user_mismatch(CALLER, Principal("alice@LAB.EXAMPLE", SID), OWN) is None


def test_another_account_of_the_same_name() -> None:
    why = user_mismatch(CALLER, Principal("LAB\\alice", "S-1-5-21-1-2-3-1001"), OWN)
    assert why is not None
    assert "S-1-5-21-1-2-3-1001" in why


@pytest.mark.parametrize("local", ["S-1-22-1-0", "S-1-5-21-7-8-9-1000"])
def test_an_account_that_smbd_has_mapped_to_a_local_user(local: str) -> None:
    """The SIDs are the local user's, the name is that of the domain's account."""
    mapped = CALLER._replace(user_sid=local, sids=frozenset({local}))
    assert user_mismatch(mapped, Principal("LAB\\alice", SID), OWN) is None
    for other in ("LAB\\bob", "OTHER\\alice", "alice"):
        assert user_mismatch(mapped, Principal(other, SID), OWN) is not None


def test_the_name_of_an_account_of_another_domain_is_not_enough() -> None:
    """A controller of a domain that is trusted writes what it likes into its PACs."""
    stranger = Principal("LAB\\alice", "S-1-5-21-4-5-6-1000")
    for own_sid in (OWN, ""):
        assert user_mismatch(CALLER, stranger, own_sid) is not None
        assert INTEGRITY._replace(own_sid=own_sid).refusal(
            CALLER, Security(1, AuthLevel.PKT_PRIVACY, stranger)
        )


def test_a_group_of_the_caller_is_not_the_caller() -> None:
    caller = CALLER._replace(sids=frozenset({SID, "S-1-5-32-544"}))
    group = Principal("BUILTIN\\Administrators", "S-1-5-32-544")
    assert user_mismatch(caller, group, OWN) is not None
