"""A client's association against this server's, in memory, and against recorded answers."""

from __future__ import annotations

import struct
from typing import Callable, Optional

import pytest

from fsrvpd.core import messages, ndr
from fsrvpd.core.messages import (
    GetSupportedVersion,
    IsPathSupported,
    Opnum,
    PathSupportedResponse,
    VersionResponse,
)
from fsrvpd.errors import AuthenticationError
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.initiator import SpnegoInitiator, spnego_credential
from fsrvpd.rpc.association import Association, RpcRequest
from fsrvpd.rpc.client_association import (
    SYNTAX,
    Answer,
    AssociationError,
    BindRefused,
    ClientAssociation,
)
from fsrvpd.rpc.faults import Fault
from fsrvpd.rpc.security.context import AuthLevel, AuthType, Initiator, PduParts, Reply
from tests.oracle import pdu
from tests.oracle.pdu import Context
from tests.unit.rpc.security.initiators import (
    DOMAIN,
    PASSWORD,
    USER,
    Impacket,
    PasswordList,
    acceptors,
)

LONG = "\\\\LAB\\" + "x" * 1000
LEVELS = [AuthLevel.PKT_INTEGRITY, AuthLevel.PKT_PRIVACY]


class RawNtlm:
    """impacket's NTLM as an `Initiator`."""

    def __init__(self) -> None:
        self._peer = Impacket()

    def step(self, token: bytes) -> Reply:
        return Reply(self._peer.next(token), True) if token else Reply(self._peer.first(), False)

    def token_size(self, body_size: int) -> int:
        return 16

    def sign(self, parts: PduParts) -> bytes:
        return self._peer.sign(parts)

    def verify(self, parts: PduParts, token: bytes) -> None:
        self._peer.verify(parts, token)

    def seal(self, parts: PduParts) -> tuple[bytes, bytes]:
        return self._peer.seal(parts)

    def unseal(self, parts: PduParts, token: bytes) -> bytes:
        return self._peer.unseal(parts, token)


def spnego(level: AuthLevel, password: str = PASSWORD) -> SpnegoInitiator:
    credential = spnego_credential(Credentials(f"{DOMAIN}\\{USER}", password))
    return SpnegoInitiator(credential, "lab.example", seal=level == AuthLevel.PKT_PRIVACY)


KINDS: dict[str, tuple[Callable[[AuthLevel], Initiator], AuthType]] = {
    "ntlm": (lambda level: RawNtlm(), AuthType.WINNT),
    "spnego": (spnego, AuthType.GSS_NEGOTIATE),
}


class Pair:
    """Both ends. `respond` answers each request that arrives."""

    def __init__(
        self,
        client: ClientAssociation,
        respond: Optional[Callable[[Association, RpcRequest], None]] = None,
    ) -> None:
        self.client = client
        self.server = Association(7, acceptors())
        self.respond = respond or refuse
        self.sent: list[bytes] = []
        self.requests: list[RpcRequest] = []

    def bind(self) -> None:
        self.client.bind()
        self.exchange()
        assert self.client.bound

    def call(self, request: messages.Request) -> Optional[Answer]:
        opnum = Opnum[type(request).__name__]
        self.client.call(opnum, ndr.encode_request(request, SYNTAX))
        return self.exchange()

    def exchange(self) -> Optional[Answer]:
        """Until neither end has anything to send."""
        answer = None
        while outgoing := self.client.outgoing():
            self.sent += outgoing
            for message in outgoing:
                self._serve(message)
            for message in self.server.outgoing():
                answer = self.client.receive(message)
        return answer

    def _serve(self, message: bytes) -> None:
        found = self.server.receive(message)
        if self.server.pending_verification is not None:
            found += self.server.resume(self._verified())
        for request in found:
            self.requests.append(request)
            self.respond(self.server, request)

    def _verified(self) -> object:
        response = self.server.pending_verification
        assert response is not None
        try:
            return PasswordList().verify(response)
        except AuthenticationError as error:
            return error


def refuse(server: Association, request: RpcRequest) -> None:
    server.respond(request, messages.refusal(request.opnum, 0x80070005))


def supported(server: Association, request: RpcRequest) -> None:
    server.respond(request, PathSupportedResponse(0, True, "L" * 1000))


def pair(
    kind: str = "spnego",
    level: AuthLevel = AuthLevel.PKT_INTEGRITY,
    respond: Optional[Callable[[Association, RpcRequest], None]] = None,
) -> Pair:
    make, auth_type = KINDS[kind]
    made = Pair(ClientAssociation(make(level), auth_type, level), respond)
    made.bind()
    return made


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_are_protected_in_both_directions(kind: str, level: AuthLevel) -> None:
    both = pair(kind, level, supported)
    for number in range(3):
        answer = both.call(IsPathSupported(LONG))
        assert answer is not None
        response = ndr.decode_response(Opnum.IsPathSupported, answer.stub, SYNTAX)
        assert response == PathSupportedResponse(0, True, "L" * 1000)
        request = both.requests[number]
        assert request.stub.startswith(ndr.encode_request(IsPathSupported(LONG), SYNTAX))
        assert request.security is not None
        assert request.security.level == level
    wire = b"".join(both.sent)
    assert (b"x\0x\0x\0" in wire) == (level == AuthLevel.PKT_INTEGRITY)


def test_without_an_initiator_nothing_is_signed() -> None:
    both = Pair(ClientAssociation(), supported)
    both.bind()
    answer = both.call(IsPathSupported("\\\\LAB\\data\\"))
    assert answer is not None
    assert answer.stub[-4:] == bytes(4)
    assert both.requests[0].security is None


@pytest.mark.parametrize("kind", KINDS)
def test_round_trips(kind: str) -> None:
    """NTLM: bind, and auth3 with the first request. SPNEGO: bind and alter_context."""
    both = pair(kind)
    kinds = [message[2] for message in both.sent]
    assert kinds == ([pdu.BIND, pdu.AUTH3] if kind == "ntlm" else [pdu.BIND, pdu.ALTER_CONTEXT])


def test_the_first_request_alone_has_a_verification_trailer() -> None:
    both = pair()
    for _ in range(2):
        both.call(GetSupportedVersion())
    assert [b"\x8a\xe3\x13\x71\x02\xf4\x36\x71" in message for message in both.sent[2:]] == [
        True,
        False,
    ]


def test_a_trailer_that_does_not_fit_is_refused() -> None:
    """So the server did read it."""
    both = pair()
    both.client.call(Opnum.GetSupportedVersion, b"")
    (message,) = both.client.outgoing()
    assert both.server.receive(message[:20] + b"\x01" + message[21:]) == []
    assert both.server.closed


@pytest.mark.parametrize("level", [None, *LEVELS])
def test_long_requests_and_responses_are_in_fragments(level: Optional[AuthLevel]) -> None:
    stub = bytes(range(256)) * 40
    if level is None:
        both = Pair(ClientAssociation(), supported)
        both.bind()
    else:
        both = pair("spnego", level, supported)
    before = len(both.sent)
    both.client.call(Opnum.IsPathSupported, stub)
    assert both.exchange() is not None
    assert both.requests[0].stub[: len(stub)] == stub
    fragments = both.sent[before:]
    assert len(fragments) == 3
    assert all(len(fragment) <= 4280 for fragment in fragments)


def test_an_answer_may_come_in_fragments() -> None:
    client = ClientAssociation()
    bind(client)
    client.call(Opnum.IsPathSupported, b"")
    (request,) = client.outgoing()
    call_id = struct.unpack_from("<I", request, 12)[0]
    assert client.receive(response(b"ab", call_id, pdu.FIRST)) is None
    assert client.receive(response(b"cd", call_id, 0)) is None
    assert client.receive(response(b"ef", call_id, pdu.LAST)) == Answer(b"abcdef")


@pytest.mark.parametrize("size", [1, 7, 30])
def test_bytes_may_come_in_pieces(size: int) -> None:
    client = ClientAssociation()
    bind(client)
    client.call(Opnum.SetContext, bytes(4))
    data = response(bytes(4), 2)
    pieces = [client.receive(data[at : at + size]) for at in range(0, len(data), size)]
    assert pieces[-1] == Answer(bytes(4))
    assert set(pieces[:-1]) <= {None}


def test_a_big_endian_server_is_understood() -> None:
    client = ClientAssociation()
    client.bind()
    client.outgoing()
    results = struct.pack(">HH", 0, 0) + pdu.NDR[0].bytes + struct.pack(">I", pdu.NDR[1])
    body = struct.pack(">HHIH2xBxxx", 4280, 4280, 5, 0, 1) + results
    assert client.receive(pdu.message(pdu.BIND_ACK, body, big_endian=True)) is None
    client.call(Opnum.GetSupportedVersion, b"")
    stub = ndr.encode_response(0, VersionResponse(0, 1, 1), SYNTAX, big_endian=True)
    body = struct.pack(">IHBx", len(stub), 0, 0) + stub
    answer = client.receive(pdu.message(pdu.RESPONSE, body, call_id=2, big_endian=True))
    assert answer == Answer(stub, big_endian=True)


def test_a_fault_is_an_answer_and_the_next_call_may_follow() -> None:
    both = pair(respond=lambda server, request: server.fault(request, Fault.BAD_STUB_DATA))
    assert both.call(GetSupportedVersion()) == Answer(b"", status=Fault.BAD_STUB_DATA)
    both.respond = refuse
    answer = both.call(GetSupportedVersion())
    assert answer is not None
    assert answer.status == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password_is_told(kind: str) -> None:
    make, auth_type = KINDS[kind]
    initiator = make(AuthLevel.PKT_INTEGRITY)
    if kind == "ntlm":
        initiator._peer = Impacket(password="wrong")
    else:
        initiator = spnego(AuthLevel.PKT_INTEGRITY, "wrong")
    both = Pair(ClientAssociation(initiator, auth_type))
    if kind == "ntlm":  # auth3 has no answer
        both.bind()
        answer = both.call(GetSupportedVersion())
        assert answer is not None
        assert answer.status == Fault.ACCESS_DENIED
    else:
        with pytest.raises(BindRefused) as caught:
            both.bind()
        assert caught.value.denied
        assert both.client.closed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("place", [12, 24, 30, -20, -16, -1])
def test_a_changed_response_ends_the_association(level: AuthLevel, place: int) -> None:
    """Call id, stub, padding, verifier, token."""
    both = pair("spnego", level)
    both.client.call(Opnum.GetSupportedVersion, b"")
    both._serve(*both.client.outgoing())
    data = bytearray(*both.server.outgoing())
    data[place] ^= 1
    with pytest.raises(AssociationError):
        both.client.receive(bytes(data))
    assert both.client.closed
    with pytest.raises(AssociationError):
        both.client.call(0, b"")


def test_a_response_without_a_signature_is_refused() -> None:
    both = pair()
    both.client.call(Opnum.SetContext, bytes(4))
    (request,) = both.client.outgoing()
    call_id = struct.unpack_from("<I", request, 12)[0]
    with pytest.raises(AssociationError, match="not signed"):
        both.client.receive(response(bytes(4), call_id))


def test_a_response_comes_once() -> None:
    both = pair(respond=supported)
    both.client.call(Opnum.IsPathSupported, b"")
    both._serve(*both.client.outgoing())
    (message,) = both.server.outgoing()
    assert both.client.receive(message) is not None
    with pytest.raises(AssociationError, match="nothing asked for"):
        both.client.receive(message)


def test_header_signing_must_be_agreed_on() -> None:
    client = ClientAssociation(spnego(AuthLevel.PKT_INTEGRITY))
    client.bind()
    server = Association(7, acceptors())
    server.receive(*client.outgoing())
    ack = bytearray(*server.outgoing())
    ack[3] &= ~pdu.HEADER_SIGNING
    with pytest.raises(BindRefused, match="sign headers"):
        client.receive(bytes(ack))


@pytest.mark.parametrize(
    ("reason", "denied"), [(0, False), (4, False), (8, True), (9, True), (77, False)]
)
def test_a_bind_nak_says_why(reason: int, denied: bool) -> None:
    client = ClientAssociation()
    client.bind()
    with pytest.raises(BindRefused, match="refuses the bind") as caught:
        client.receive(pdu.message(pdu.BIND_NAK, struct.pack("<HBBBx", reason, 1, 5, 0)))
    assert caught.value.denied is denied


def test_another_interface_is_refused() -> None:
    client = ClientAssociation()
    client.bind()
    results = struct.pack("<HH20x", 2, 1)
    with pytest.raises(BindRefused, match="no agent"):
        client.receive(
            pdu.message(pdu.BIND_ACK, struct.pack("<HHIH2xB3x", 4280, 4280, 5, 0, 1) + results)
        )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        struct.pack("<HHIH", 4280, 4280, 5, 0xFFFF),
        struct.pack("<HHIH2xB3x", 4280, 4280, 5, 0, 255),
        struct.pack("<HHIH2xB3x", 4280, 4280, 5, 0, 1),
        struct.pack("<HHIH2xB3x", 4280, 4280, 5, 0, 0),
        struct.pack("<HHIH2xB3xHH20x", 4280, 4280, 5, 0, 1, 0, 0),
    ],
)
def test_a_wrong_bind_ack_ends_the_association(body: bytes) -> None:
    client = ClientAssociation()
    client.bind()
    with pytest.raises(AssociationError, match="breaks the protocol"):
        client.receive(pdu.message(pdu.BIND_ACK, body))


@pytest.mark.parametrize(
    "message",
    [
        pdu.message(pdu.RESPONSE, b"", call_id=2),
        pdu.message(pdu.RESPONSE, bytes(7), call_id=2),
        pdu.message(pdu.RESPONSE, struct.pack("<IHBx", 4, 1, 0) + bytes(4), call_id=2),
        pdu.message(pdu.RESPONSE, struct.pack("<IHBx", 4, 0, 0) + bytes(4), call_id=3),
        pdu.message(pdu.RESPONSE, bytes(12), call_id=2, flags=0),
        pdu.message(pdu.FAULT, bytes(8), call_id=2),
        pdu.message(pdu.FAULT, bytes(16), call_id=2),
        pdu.message(pdu.BIND_ACK, bytes(16), call_id=2),
        pdu.message(pdu.RESPONSE, bytes(12), call_id=2, verifier=bytes(24)),
        b"HTTP/1.1 400 Bad Request",
    ],
)
def test_a_wrong_answer_ends_the_association(message: bytes) -> None:
    client = ClientAssociation()
    bind(client)
    client.call(Opnum.GetSupportedVersion, b"")
    with pytest.raises(AssociationError, match="breaks the protocol"):
        client.receive(message)
    assert client.closed
    assert client.outgoing() == []


def test_a_response_without_an_end_is_not_kept() -> None:
    client = ClientAssociation()
    bind(client)
    client.call(Opnum.GetSupportedVersion, b"")
    client.receive(response(bytes(4000), 2, pdu.FIRST))
    for _ in range(3):
        client.receive(response(bytes(4000), 2, 0))
    with pytest.raises(AssociationError, match="larger"):
        client.receive(response(bytes(4000), 2, 0))


def test_calls_out_of_sequence_are_refused_here() -> None:
    client = ClientAssociation()
    with pytest.raises(AssociationError, match="no bind was sent"):
        client.call(0, b"")
    bind(client)
    client.call(0, b"")
    with pytest.raises(AssociationError, match="outstanding"):
        client.call(0, b"")
    with pytest.raises(AssociationError):
        client.bind()
    assert not client.closed


def test_the_offer_is_what_samba_takes() -> None:
    """Recorded from rpcclient: the bind differs in nothing but header signing."""
    client = ClientAssociation()
    client.bind()
    expected = pdu.bind([Context(0, pdu.INTERFACE, [pdu.NDR])], flags=3 | pdu.HEADER_SIGNING)
    assert client.outgoing() == [expected]


def bind(client: ClientAssociation) -> None:
    """Without a login."""
    client.bind()
    client.outgoing()
    server = Association(7)
    server.receive(pdu.bind([Context(0, pdu.INTERFACE, [pdu.NDR])]))
    client.receive(*server.outgoing())


def response(stub: bytes, call_id: int, flags: int = pdu.FIRST | pdu.LAST) -> bytes:
    body = struct.pack("<IHBx", len(stub), 0, 0) + stub
    return pdu.message(pdu.RESPONSE, body, call_id=call_id, flags=flags)
