"""Associations of clients that authenticate, with independent initiators."""

from __future__ import annotations

import struct
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsrvpd.core import ndr
from fsrvpd.core.messages import IsPathSupported, Opnum, PathSupportedResponse, StatusResponse
from fsrvpd.core.ndr import Syntax
from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.association import MAX_WAITING, RpcRequest
from fsrvpd.rpc.faults import Fault, Nak
from fsrvpd.rpc.security.channels import MAX_CHANNELS, Security
from fsrvpd.rpc.security.context import AuthLevel, AuthType, Principal, Reply
from fsrvpd.rpc.security.spnego import NTLMSSP_OID
from tests.oracle import pdu
from tests.oracle.pdu import Context
from tests.unit.rpc.secured_client import PLAIN, SET_CONTEXT, SecuredClient, nak_reason
from tests.unit.rpc.security.initiators import DOMAIN, USER, USER_SID, Impacket, Pyspnego
from tests.unit.rpc.security.test_spnego import Client as SpnegoClient
from tests.unit.rpc.security.test_spnego import fields_of

PRINCIPAL = Principal(f"{DOMAIN}\\{USER}", USER_SID)
KINDS: dict[str, tuple[Callable[..., Any], AuthType]] = {
    "ntlm": (Impacket, AuthType.WINNT),
    "spnego": (lambda **login: Pyspnego("negotiate", **login), AuthType.GSS_NEGOTIATE),
}
LEVELS = [
    AuthLevel.CONNECT,
    AuthLevel.PKT,
    AuthLevel.PKT_INTEGRITY,
    AuthLevel.PKT_PRIVACY,
]


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client(
    kind: str = "ntlm", level: int = AuthLevel.PKT_INTEGRITY, **options: Any
) -> SecuredClient:
    make, auth_type = KINDS[kind]
    made = SecuredClient(make(), auth_type, level, **options)
    made.authenticate()
    return made


@pytest.mark.parametrize("level", LEVELS)
def test_calls_and_answers(kind: str, level: AuthLevel) -> None:
    peer = client(kind, level)
    for number in range(1, 5):
        (call,) = peer.send(peer.request(call_id=number))
        security = Security(peer.context_id, level, PRINCIPAL)
        assert call == RpcRequest(
            number, 0, Opnum.SetContext, SET_CONTEXT, Syntax.NDR, False, security
        )
        peer.association.respond(call, StatusResponse(number))
        assert peer.opened(peer.only()) == struct.pack("<I", number)


@pytest.mark.parametrize(
    ("level", "signed", "sealed"),
    [(2, False, False), (3, True, False), (4, True, False), (5, True, False), (6, True, True)],
)
def test_what_a_level_stands_for(level: int, signed: bool, sealed: bool) -> None:
    security = Security(0, AuthLevel(level), PRINCIPAL)
    assert (security.signed, security.sealed) == (signed, sealed)


def test_header_signing_is_acknowledged_when_offered(kind: str) -> None:
    for offered in (True, False):
        make, auth_type = KINDS[kind]
        peer = SecuredClient(make(), auth_type, header_signing=offered)
        assert bool(peer.bind().flags & pdu.HEADER_SIGNING) is offered


@pytest.mark.parametrize("level", [AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY])
def test_fragments_are_each_protected(level: AuthLevel) -> None:
    peer = SecuredClient(Impacket(), level=level)
    peer.authenticate(max_fragment=1432)
    stub = ndr.encode_request(IsPathSupported("\\\\LAB\\" + "x" * 200), Syntax.NDR)
    parts = [stub[start : start + 48] for start in range(0, len(stub), 48)]
    calls = []
    for number, part in enumerate(parts):
        flags = (pdu.FIRST if number == 0 else 0) | (pdu.LAST if number == len(parts) - 1 else 0)
        calls += peer.send(peer.request(part, Opnum.IsPathSupported, flags=flags))
    (call,) = calls
    assert call.stub == stub
    peer.association.respond(call, PathSupportedResponse(0, True, "L" * 1000))
    answers = peer.answers()
    assert len(answers) > 1
    assert all(len(answer.whole) <= 1432 for answer in answers)
    body = b"".join(peer.opened(answer) for answer in answers)
    assert body == ndr.encode_response(8, PathSupportedResponse(0, True, "L" * 1000), Syntax.NDR)


@pytest.mark.parametrize("level", [AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY])
@pytest.mark.parametrize("place", [12, 22, 24, 39, 40, 41, 42, 43, -20, -1])
def test_tampering_ends_the_association(kind: str, level: AuthLevel, place: int) -> None:
    """Call id, opnum, stub, padding, the verifier's fields, token. A wrong level or context is
    noticed before the signature is verified."""
    peer = client(kind, level)
    data = bytearray(peer.request())
    data[place] ^= 1
    assert peer.send(bytes(data)) == []
    expected = Fault.ACCESS_DENIED if place in (40, 41, -20) else Fault.SEC_PKG_ERROR
    assert peer.fault() == expected
    assert peer.association.closed


def test_replay_ends_the_association(kind: str) -> None:
    peer = client(kind)
    data = peer.request()
    (call,) = peer.send(data)
    peer.association.respond(call, StatusResponse(0))
    peer.answers()
    assert peer.send(data) == []
    assert peer.fault() == Fault.SEC_PKG_ERROR
    assert peer.association.closed


@pytest.mark.parametrize("agreed", [AuthLevel.PKT, AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY])
@pytest.mark.parametrize("used", [AuthLevel.CONNECT, AuthLevel.PKT, AuthLevel.PKT_INTEGRITY])
def test_another_level_is_refused(agreed: AuthLevel, used: AuthLevel) -> None:
    if agreed == used:
        return
    peer = client(level=agreed)
    peer.level = used
    assert peer.send(peer.request()) == []
    assert peer.fault() == Fault.ACCESS_DENIED
    assert peer.association.closed


@pytest.mark.parametrize("level", [AuthLevel.PKT, AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY])
def test_request_without_a_verifier_is_refused(kind: str, level: AuthLevel) -> None:
    """impacket at PKT sends none."""
    peer = client(kind, level)
    assert peer.send(pdu.request(Opnum.SetContext, SET_CONTEXT)) == []
    assert peer.fault() == Fault.ACCESS_DENIED
    assert peer.association.closed


def test_level_connect_does_without_a_verifier(kind: str) -> None:
    peer = client(kind, AuthLevel.CONNECT)
    (call,) = peer.send(pdu.request(Opnum.SetContext, SET_CONTEXT))
    assert call.security == Security(peer.context_id, AuthLevel.CONNECT, PRINCIPAL)


def test_wrong_password(kind: str) -> None:
    make, auth_type = KINDS[kind]
    peer = SecuredClient(make(password="guess"), auth_type)
    token = peer.initiator.next(peer.bind().token)
    if kind == "spnego":
        assert struct.unpack_from("<I", peer.alter(token).body, 8)[0] == Fault.ACCESS_DENIED
    else:
        assert peer.auth3(token) == []
        assert peer.answers() == []  # auth3 is never answered
        assert peer.send(peer.request()) == []
        assert peer.fault() == Fault.ACCESS_DENIED
    assert peer.association.closed
    assert "wrong password" in peer.association.close_reason


def test_wrong_password_is_not_forgiven_without_a_verifier() -> None:
    peer = SecuredClient(Impacket(password="guess"), level=AuthLevel.CONNECT)
    peer.auth3(peer.initiator.next(peer.bind().token))
    assert peer.send(pdu.request(Opnum.SetContext, SET_CONTEXT)) == []
    assert peer.fault() == Fault.ACCESS_DENIED
    assert "wrong password" in peer.association.close_reason


def test_unknown_provider() -> None:
    for auth_type in (14, 68):
        peer = SecuredClient(Impacket(), auth_type)
        assert nak_reason(peer.bind()) == Nak.AUTHENTICATION_TYPE_NOT_RECOGNIZED
        assert peer.association.closed


def test_kerberos_without_a_keytab() -> None:
    peer = SecuredClient(Impacket(), AuthType.GSS_KERBEROS)
    assert nak_reason(peer.bind()) == Nak.INVALID_CHECKSUM
    assert "Kerberos cannot be used" in peer.association.close_reason


@pytest.mark.parametrize("level", [0, 1, 7, 255])
def test_unknown_level(level: int) -> None:
    peer = SecuredClient(Impacket(), level=level)
    assert nak_reason(peer.bind()) == Nak.INVALID_CHECKSUM


def test_request_before_the_last_leg_is_refused() -> None:
    peer = SecuredClient(Impacket())
    peer.initiator.next(peer.bind().token)
    assert peer.send(peer.request()) == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_auth3_too_early() -> None:
    peer = SecuredClient(Impacket())
    peer.send(pdu.bind(PLAIN))
    peer.answers()
    assert peer.auth3(peer.initiator.first()) == []
    assert peer.answers() == []
    peer.initiator.next(KNOWN_CHALLENGE)
    assert peer.send(peer.request()) == []
    assert peer.fault() == Fault.ACCESS_DENIED


def challenge() -> bytes:
    return SecuredClient(Impacket()).bind().token


KNOWN_CHALLENGE = challenge()


def test_auth3_of_spnego_is_refused_before_the_account_is_looked_up() -> None:
    """SPNEGO's last token needs an answer, which auth3 cannot have."""
    spnego = SpnegoClient(NTLMSSP_OID)
    peer = SecuredClient(None, AuthType.GSS_NEGOTIATE, patient=True)
    token = spnego.first(spnego.ntlm.first())
    peer.send(pdu.bind(PLAIN, verifier=peer.verifier(token)))
    challenge = fields_of(Reply(peer.only().token, False))[2]
    assert peer.auth3(spnego.last(challenge, b"")) == []
    assert peer.association.pending_verification is None
    assert peer.send(pdu.request(Opnum.SetContext, SET_CONTEXT)) == []
    assert peer.fault() == Fault.ACCESS_DENIED


def test_auth3_without_a_token_is_out_of_sequence() -> None:
    peer = client()
    peer.send(pdu.message(pdu.AUTH3, bytes(4)))
    assert peer.fault() == Fault.PROTOCOL_ERROR


def test_authentication_once_more_in_the_same_context_is_refused() -> None:
    peer = client("spnego")
    answer = peer.alter(Pyspnego("negotiate").first())
    assert answer.kind == pdu.FAULT
    assert peer.association.closed


def test_contexts_of_several_users() -> None:
    """As Windows multiplexes them: each with its own keys and numbers."""
    peer = client("spnego")
    second = SecuredClient(
        Pyspnego("negotiate"), AuthType.GSS_NEGOTIATE, AuthLevel.PKT_PRIVACY, context_id=2
    )
    second.association = peer.association
    second.alter(second.initiator.next(second.alter(second.initiator.first()).token))
    for number, each in enumerate((peer, second, peer, second), 1):
        (call,) = each.send(each.request(call_id=number))
        assert call.security is not None
        assert call.security.context_id == each.context_id
        each.association.respond(call, StatusResponse(0))
        assert each.opened(each.only()) == bytes(4)


def test_number_of_contexts_is_limited() -> None:
    peer = client("spnego")
    for number in range(MAX_CHANNELS):
        peer.context_id = number
        answer = peer.alter(Pyspnego("negotiate").first())
    assert answer.kind == pdu.FAULT
    assert "too many" in peer.association.close_reason


def test_fragments_of_one_request_come_through_one_context() -> None:
    peer = client("spnego")
    second = SecuredClient(Pyspnego("negotiate"), AuthType.GSS_NEGOTIATE, context_id=2)
    second.association = peer.association
    second.alter(second.initiator.next(second.alter(second.initiator.first()).token))
    assert peer.send(peer.request(SET_CONTEXT[:2], flags=pdu.FIRST)) == []
    assert second.send(second.request(SET_CONTEXT[2:], flags=pdu.LAST)) == []
    assert peer.fault() == Fault.PROTOCOL_ERROR


class TestWaiting:
    """While the account is being verified, the association reads nothing more."""

    def waiting(self) -> SecuredClient:
        peer = SecuredClient(Impacket(), patient=True)
        peer.auth3(peer.initiator.next(peer.bind().token))
        assert peer.association.pending_verification is not None
        return peer

    def test_requests_wait_for_the_answer(self) -> None:
        peer = self.waiting()
        assert peer.send(peer.request()) == []
        assert peer.answers() == []
        (call,) = peer.association.resume(peer.verification())
        assert call.security is not None
        assert peer.association.pending_verification is None

    def test_refusal_meets_the_first_request(self) -> None:
        peer = self.waiting()
        peer.send(peer.request(call_id=5))
        assert peer.association.resume(AuthenticationError("no such account")) == []
        assert peer.fault() == Fault.ACCESS_DENIED
        assert "no such account" in peer.association.close_reason

    def test_answer_is_taken_once(self) -> None:
        peer = self.waiting()
        verification = peer.verification()
        peer.association.resume(verification)
        assert peer.association.resume(verification) == []
        assert not peer.association.closed

    def test_what_waits_is_limited(self) -> None:
        peer = self.waiting()
        for _ in range(MAX_WAITING // 4000 + 1):
            peer.send(pdu.request(Opnum.SetContext, bytes(4000)))
        assert peer.association.closed
        assert peer.association.pending_verification is None
        assert peer.association.resume(AuthenticationError("late")) == []

    def test_bind_can_wait(self) -> None:
        """An authenticate message in the bind makes no sense, and is refused."""
        peer = SecuredClient(Impacket(), patient=True)
        peer.initiator.first()
        token = peer.initiator.next(KNOWN_CHALLENGE)
        peer.send(pdu.bind(PLAIN, verifier=peer.verifier(token)))
        assert nak_reason(peer.only()) == Nak.INVALID_CHECKSUM


CLIENTS = [
    lambda: SecuredClient(Impacket()),
    lambda: SecuredClient(Impacket(), level=AuthLevel.PKT_PRIVACY),
    lambda: SecuredClient(Pyspnego("negotiate"), AuthType.GSS_NEGOTIATE),
]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(CLIENTS),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 400), st.integers(1, 255)), max_size=4),
)
def test_nothing_escapes_whatever_is_spoilt(
    make: Callable[[], SecuredClient], changes: list[tuple[int, int, int]]
) -> None:
    """Bytes anywhere in any PDU of an exchange are changed; a call that comes out all the
    same comes from the client that was proved, and as it was sent."""
    peer = make()
    original = peer.association.receive

    def spoil(number: int, data: bytes) -> bytes:
        spoilt = bytearray(data)
        for pdu_number, place, value in changes:
            if pdu_number == number and place < len(spoilt):
                spoilt[place] ^= value
        return bytes(spoilt)

    counter = iter(range(100))

    def receive(data: bytes) -> list[RpcRequest]:
        calls = original(spoil(next(counter), data) if data else data)
        for call in calls:
            if call.security is not None and call.security.signed:
                assert call.security.principal == PRINCIPAL
                assert call.stub == SET_CONTEXT
        return calls

    peer.association.receive = receive  # type: ignore[method-assign]
    try:
        peer.authenticate()
    except Exception:  # the client may well choke on what it gets back
        assert peer.association.closed or changes
        return
    for number in (1, 2):
        for call in peer.send(peer.request(call_id=number)):
            peer.association.respond(call, StatusResponse(0))


def test_contexts_can_be_added_with_security() -> None:
    peer = client()
    peer.send(pdu.bind([Context(1, pdu.INTERFACE, [pdu.NDR64])], kind=pdu.ALTER_CONTEXT, call_id=2))
    assert peer.only().kind == pdu.ALTER_CONTEXT_RESPONSE
    (call,) = peer.send(peer.request(context_id=1))
    assert call.syntax is Syntax.NDR64
