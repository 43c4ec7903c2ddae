"""SPNEGO: which mechanism is chosen, and that a shortened list is detected."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse
from fsrvpd.rpc.security import der, spnego_messages
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, AuthType, Reply, SecurityContext
from fsrvpd.rpc.security.spnego import KRB5_OID, MS_KRB5_OID, NTLMSSP_OID, SpnegoAcceptor
from fsrvpd.rpc.security.spnego_messages import SPNEGO_OID, NegState
from tests.unit.rpc.security.initiators import Impacket, PasswordList, acceptors, pdu

NEGOEX_OID = bytes.fromhex("2b06010401823702021e")
SIGNED = AuthParameters(AuthLevel.PKT_INTEGRITY, True)


def mechanism_list(*oids: bytes) -> bytes:
    return der.encode(der.SEQUENCE, b"".join(der.encode(der.OID, oid) for oid in oids))


def init(oids: tuple[bytes, ...], token: bytes = b"", more: bytes = b"") -> bytes:
    fields = der.encode(der.context(0), mechanism_list(*oids))
    if token:
        fields += der.encode(der.context(2), der.encode(der.OCTET_STRING, token))
    inner = der.encode(der.context(0), der.encode(der.SEQUENCE, fields + more))
    return der.encode(der.APPLICATION, der.encode(der.OID, SPNEGO_OID) + inner)


def fields_of(reply: Any) -> dict[int, bytes]:
    """Contents of a NegTokenResp by number."""
    assert isinstance(reply, Reply)
    reader = der.DerReader(der.whole(der.whole(reply.token, der.context(1)), der.SEQUENCE))
    found = {}
    for number in range(4):
        content = reader.optional(der.context(number))
        if content is not None:
            tag = {0: der.ENUMERATED, 1: der.OID}.get(number, der.OCTET_STRING)
            found[number] = der.whole(content, tag)
    reader.end()
    return found


def server() -> SecurityContext:
    return acceptors().begin(AuthType.GSS_NEGOTIATE, SIGNED)


class Client:
    """Impacket's NTLM under a SPNEGO that can be told to misbehave."""

    def __init__(self, *oids: bytes) -> None:
        self.ntlm = Impacket()
        self.oids = oids

    def first(self, token: bytes = b"") -> bytes:
        return init(self.oids, token)

    def bare(self, token: bytes) -> bytes:
        return spnego_messages.resp(NegState.ACCEPT_INCOMPLETE, token=token)

    def last(self, challenge: bytes, signed: bytes) -> bytes:
        token = self.ntlm.next(challenge)
        mic = self.ntlm.mic(signed) if signed else b""
        return spnego_messages.resp(NegState.ACCEPT_INCOMPLETE, token=token, mic=mic)


def proved(context: SecurityContext, token: bytes) -> Reply:
    question = context.step(token)
    assert isinstance(question, NtlmResponse)
    return context.resume(PasswordList().verify(question))


def test_first_choice_takes_the_token_that_came_along() -> None:
    client = Client(NTLMSSP_OID, KRB5_OID)
    fields = fields_of(server().step(client.first(client.ntlm.first())))
    assert fields[0] == bytes((NegState.ACCEPT_INCOMPLETE,))
    assert fields[1] == NTLMSSP_OID
    assert fields[2].startswith(b"NTLMSSP\0\2")


def test_first_choice_without_a_token() -> None:
    fields = fields_of(server().step(Client(NTLMSSP_OID).first()))
    assert fields == {0: bytes((NegState.ACCEPT_INCOMPLETE,)), 1: NTLMSSP_OID}


def begun(client: Client, context: SecurityContext) -> bytes:
    """Through the request for a MIC up to the challenge."""
    fields = fields_of(context.step(client.first(b"for another mechanism")))
    assert fields == {0: bytes((NegState.REQUEST_MIC,)), 1: NTLMSSP_OID}
    fields = fields_of(context.step(client.bare(client.ntlm.first())))
    assert set(fields) == {0, 2}
    return fields[2]


WINDOWS = (NEGOEX_OID, MS_KRB5_OID, KRB5_OID, NTLMSSP_OID)


def test_second_choice_needs_both_signatures() -> None:
    client, context = Client(*WINDOWS), server()
    challenge = begun(client, context)
    reply = proved(context, client.last(challenge, mechanism_list(*WINDOWS)))
    assert reply.done
    fields = fields_of(reply)
    assert fields[0] == bytes((NegState.ACCEPT_COMPLETED,))
    assert fields[3] == client.ntlm.server_mic(mechanism_list(*WINDOWS))


def test_sequence_goes_on_but_key_stream_begins_anew() -> None:
    """Spec: MS-SPNG 3.2.5.1."""
    client, context = Client(*WINDOWS), server()
    proved(context, client.last(begun(client, context), mechanism_list(*WINDOWS)))
    client.ntlm.server_mic(mechanism_list(*WINDOWS))
    client.ntlm.rewind()
    context.verify(pdu(b"request"), client.ntlm.sign(pdu(b"request")))
    client.ntlm.verify(pdu(b"response"), context.sign(pdu(b"response")))


def test_missing_signature_is_refused_before_the_account_is_looked_up() -> None:
    client, context = Client(*WINDOWS), server()
    challenge = begun(client, context)
    with pytest.raises(AuthenticationError, match="no signature over the list"):
        context.step(client.last(challenge, b""))


@pytest.mark.parametrize("meant", [(NTLMSSP_OID,), (KRB5_OID, NTLMSSP_OID), WINDOWS[::-1]])
def test_list_that_was_altered_is_noticed(meant: tuple[bytes, ...]) -> None:
    client, context = Client(*WINDOWS), server()
    challenge = begun(client, context)
    with pytest.raises(AuthenticationError, match="list of mechanisms"):
        proved(context, client.last(challenge, mechanism_list(*meant)))


def test_signature_over_a_first_choice_is_checked_when_it_comes() -> None:
    client, context = Client(NTLMSSP_OID, KRB5_OID), server()
    challenge = fields_of(context.step(client.first(client.ntlm.first())))[2]
    with pytest.raises(AuthenticationError, match="list of mechanisms"):
        proved(context, client.last(challenge, mechanism_list(NTLMSSP_OID)))


def test_without_a_mechanism_in_common() -> None:
    with pytest.raises(AuthenticationError, match="no supported mechanism"):
        server().step(init((NEGOEX_OID, KRB5_OID)))
    with pytest.raises(AuthenticationError, match="none at all"):
        server().step(init(()))


@pytest.mark.parametrize("oid", [KRB5_OID, MS_KRB5_OID])
def test_offered_oid_is_echoed(oid: bytes) -> None:
    """Windows asks for Kerberos by two names and insists on the one it used."""
    made = []

    class Mechanism:
        principal = None

        def __init__(self) -> None:
            made.append(oid)

        def step(self, token: bytes) -> Reply:
            return Reply(b"answer to " + token, False)

    makers: Any = {KRB5_OID: Mechanism, MS_KRB5_OID: Mechanism}
    fields = fields_of(SpnegoAcceptor(makers).step(init((oid, NTLMSSP_OID), b"AP-REQ")))
    assert (fields[1], fields[2]) == (oid, b"answer to AP-REQ")
    assert made == [oid]


def test_raw_kerberos_without_kerberos() -> None:
    with pytest.raises(AuthenticationError, match="not available"):
        server().step(b"\x6e\x03\x02\x01\x05")
    with pytest.raises(AuthenticationError, match="not available"):
        server().step(der.encode(der.APPLICATION, der.encode(der.OID, KRB5_OID) + b"\1\0"))


def test_rejecting_client() -> None:
    context = server()
    context.step(Client(NTLMSSP_OID).first())
    with pytest.raises(AuthenticationError, match="rejects"):
        context.step(spnego_messages.resp(NegState.REJECT))


def test_answer_without_a_token() -> None:
    context = server()
    context.step(Client(NTLMSSP_OID).first())
    with pytest.raises(AuthenticationError, match="no token"):
        context.step(spnego_messages.resp(NegState.ACCEPT_INCOMPLETE))


def test_hints_of_a_server_are_stepped_over() -> None:
    hints = der.encode(der.context(3), der.encode(der.SEQUENCE, b""))
    parsed = spnego_messages.parse_init(init((NTLMSSP_OID,), b"token", hints))
    assert parsed == (mechanism_list(NTLMSSP_OID), (NTLMSSP_OID,), b"token")


def test_endless_list_is_refused() -> None:
    with pytest.raises(AuthenticationError, match="more than 32 mechanisms"):
        server().step(init((NEGOEX_OID,) * 33))


@given(st.binary(max_size=200))
def test_garbage_is_refused_first(token: bytes) -> None:
    with pytest.raises(AuthenticationError):
        server().step(token)


@given(st.binary(max_size=200))
def test_garbage_is_refused_second(token: bytes) -> None:
    context = server()
    context.step(Client(NTLMSSP_OID).first())
    with pytest.raises(AuthenticationError):
        context.step(token)


FIRST = init(WINDOWS, b"token of NEGOEX" * 10)


@given(st.lists(st.tuples(st.integers(0, len(FIRST) - 1), st.integers(0, 255)), max_size=6))
def test_spoilt_first_token_is_refused_or_understood(changes: list[tuple[int, int]]) -> None:
    token = bytearray(FIRST)
    for place, value in changes:
        token[place] = value
    with suppress(AuthenticationError):
        assert isinstance(server().step(bytes(token)), Reply)
