"""The NTLM acceptor: the example of MS-NLMP, and what it refuses."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import ntlm_messages
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, BadSignature, PduParts, Reply
from fsrvpd.rpc.security.ntlm import ChallengeFields, NtlmAcceptor
from fsrvpd.rpc.security.ntlm_messages import Flags
from fsrvpd.rpc.security.ntlm_session import Direction, NtlmSession
from tests import paths
from tests.unit.rpc.security.initiators import FILE_TIME, STANDALONE, Impacket, PasswordList

VECTORS = paths.VECTORS / "ntlm"
EXAMPLE = {
    name: value
    if name in ("description", "account", "domain", "password", "workstation")
    else bytes.fromhex(value)
    for name, value in json.loads((VECTORS / "ms_nlmp_4.2.4.json").read_text()).items()
}
NONCE = EXAMPLE["server_challenge"]
SIGNED = AuthParameters(AuthLevel.PKT_INTEGRITY, True)
SEALED = AuthParameters(AuthLevel.PKT_PRIVACY, True)
CONNECT = AuthParameters(AuthLevel.CONNECT, False)
EVERYTHING = 0xE2888235  # the flags of MS-NLMP's example
ANSWER = VerifiedAccount("Domain\\User", "S-1-5-21-1-2-3-500", EXAMPLE["session_base_key"])


def acceptor(parameters: AuthParameters = SEALED) -> NtlmAcceptor:
    return NtlmAcceptor(parameters, ChallengeFields(STANDALONE, NONCE, FILE_TIME))


def negotiate(flags: int = EVERYTHING) -> bytes:
    return struct.pack("<8sII16x", b"NTLMSSP\0", 1, flags)


def authenticate(flags: int = EVERYTHING) -> bytes:
    token = EXAMPLE["authenticate"]
    return token[:60] + struct.pack("<I", flags) + token[64:]


def asked(
    parameters: AuthParameters = SEALED, flags: int = EVERYTHING
) -> tuple[NtlmAcceptor, NtlmResponse]:
    server = acceptor(parameters)
    server.step(negotiate(flags))
    question = server.step(authenticate(flags))
    assert isinstance(question, NtlmResponse)
    return server, question


def test_example_of_ms_nlmp_asks_for_the_account() -> None:
    _, question = asked()
    assert question[:4] == (NONCE, EXAMPLE["account"], EXAMPLE["domain"], EXAMPLE["workstation"])


def test_example_of_ms_nlmp_unseals() -> None:
    server, _ = asked()
    assert server.resume(ANSWER) == Reply(b"", True)
    message = PduParts(b"", EXAMPLE["sealed"], b"")
    assert server.unseal(message, EXAMPLE["signature"]) == EXAMPLE["plaintext"]


def test_keys_of_ms_nlmp() -> None:
    client = Direction(EXAMPLE["random_session_key"], "client-to-server", True)
    assert (client.signing_key, client.sealing_key) == (
        EXAMPLE["signing_key"],
        EXAMPLE["sealing_key"],
    )


def test_challenge_reads_back() -> None:
    challenge = acceptor().step(negotiate())
    assert isinstance(challenge, Reply)
    kind, flags = struct.unpack_from("<I8xI", challenge.token, 8)
    assert kind == 2
    assert challenge.token[24:32] == NONCE
    assert flags & Flags.EXTENDED_SESSIONSECURITY
    assert flags & Flags.TARGET_TYPE_SERVER


def test_challenge_promises_only_what_was_asked() -> None:
    challenge = acceptor(SIGNED).step(negotiate(EVERYTHING & ~(Flags.SEAL | Flags.KEY_EXCH)))
    assert isinstance(challenge, Reply)
    (flags,) = struct.unpack_from("<I", challenge.token, 20)
    assert not flags & (Flags.SEAL | Flags.KEY_EXCH)


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [
        (CONNECT, Flags.UNICODE),
        (CONNECT, Flags.EXTENDED_SESSIONSECURITY),
        (CONNECT, Flags.KEY_128),
        (SIGNED, Flags.SIGN),
        (SEALED, Flags.SEAL),
    ],
)
def test_weakness_is_refused_in_either_message(parameters: AuthParameters, missing: Flags) -> None:
    with pytest.raises(AuthenticationError, match=missing.name):
        acceptor(parameters).step(negotiate(EVERYTHING & ~missing))
    server = acceptor(parameters)
    server.step(negotiate())
    with pytest.raises(AuthenticationError, match=missing.name):
        server.step(authenticate(EVERYTHING & ~missing))


def test_what_was_not_offered_cannot_be_taken() -> None:
    server = acceptor()
    with pytest.raises(AuthenticationError, match="SEAL"):
        server.step(negotiate(EVERYTHING & ~Flags.SEAL))
    signing = acceptor(SIGNED)
    signing.step(negotiate(EVERYTHING & ~Flags.KEY_EXCH))
    signing.step(authenticate())
    assert signing.resume(ANSWER).done
    expected = NtlmSession(ANSWER.session_base_key, False).sign(b"head")
    assert signing.sign(PduParts(b"head", b"", b"")) == expected


def test_level_connect_needs_no_signing() -> None:
    bare = EVERYTHING & ~(Flags.SIGN | Flags.SEAL | Flags.KEY_EXCH)
    server, _ = asked(CONNECT, bare)
    assert server.resume(ANSWER).done


def test_ntlmv1_and_anonymous_are_refused() -> None:
    for size in (0, 24, 43):
        server = acceptor()
        server.step(negotiate())
        token = bytearray(authenticate())
        token[20:24] = struct.pack("<HH", size, size)
        with pytest.raises(AuthenticationError, match="NTLMv1 and anonymous"):
            server.step(bytes(token))


@pytest.mark.parametrize("change", [(36, bytes(4)), (60, struct.pack("<I", EVERYTHING | 0x800))])
def test_nobody_by_name_is_refused(change: tuple[int, bytes]) -> None:
    server = acceptor()
    server.step(negotiate())
    token = bytearray(authenticate())
    token[change[0] : change[0] + 4] = change[1]
    with pytest.raises(AuthenticationError, match="anonymous"):
        server.step(bytes(token))


@pytest.mark.parametrize("name", ["with\0nul", "with\nline"])
def test_control_characters_in_a_name_are_refused(name: str) -> None:
    client, server = Impacket(user=name), acceptor()
    challenge = server.step(client.first())
    assert isinstance(challenge, Reply)
    with pytest.raises(AuthenticationError, match="control characters"):
        server.step(client.next(challenge.token))


def test_key_must_come_where_it_was_agreed() -> None:
    server = acceptor()
    server.step(negotiate())
    token = bytearray(authenticate())
    token[52:56] = bytes(4)
    with pytest.raises(AuthenticationError, match="session key of 0 bytes"):
        server.step(bytes(token))


def test_question_is_answered_once() -> None:
    server, _ = asked()
    with pytest.raises(AuthenticationError):
        server.step(authenticate())
    server.resume(ANSWER)
    with pytest.raises(AuthenticationError):
        server.resume(ANSWER)


def test_failed_check_leaves_nobody() -> None:
    server, _ = asked()
    server.resume(ANSWER)
    with pytest.raises(BadSignature):
        server.unseal(PduParts(b"", b"other", b""), EXAMPLE["signature"])


class TestMic:
    """pyspnego sends a MIC, since the challenge contains a time."""

    def exchange(self, spoil: int) -> None:
        from tests.unit.rpc.security.initiators import Pyspnego

        client, server = Pyspnego("ntlm"), acceptor()
        challenge = server.step(client.first())
        assert isinstance(challenge, Reply)
        token = bytearray(client.next(challenge.token))
        token[spoil] ^= 1
        question = server.step(bytes(token))
        assert isinstance(question, NtlmResponse)
        server.resume(PasswordList().verify(question))

    def test_covers_what_the_password_does_not(self) -> None:
        """Byte 64 is the client's version: nothing but the MIC covers it."""
        with pytest.raises(AuthenticationError, match="integrity code"):
            self.exchange(64)

    def test_itself_is_checked(self) -> None:
        with pytest.raises(AuthenticationError, match="integrity code"):
            self.exchange(72)


@given(st.binary(max_size=400))
def test_garbage_is_refused_first(token: bytes) -> None:
    with pytest.raises(AuthenticationError):
        acceptor().step(token)


@given(st.binary(max_size=400))
def test_garbage_is_refused_second(token: bytes) -> None:
    server = acceptor()
    server.step(negotiate())
    with pytest.raises(AuthenticationError):
        server.step(b"NTLMSSP\0\3\0\0\0" + token)


@given(st.lists(st.tuples(st.integers(0, 231), st.integers(0, 255)), min_size=1, max_size=12))
def test_spoilt_message_is_refused_or_asked_about(changes: list[tuple[int, int]]) -> None:
    server = acceptor()
    server.step(negotiate())
    token = bytearray(authenticate())
    for place, value in changes:
        token[place] = value
    try:
        question = server.step(bytes(token))
        assert isinstance(question, NtlmResponse)
        server.resume(ANSWER)
    except AuthenticationError:
        assert server.principal is None


@given(st.integers(0, 231))
def test_shortened_message_is_refused(size: int) -> None:
    with pytest.raises(AuthenticationError):
        ntlm_messages.authenticate(authenticate()[:size])


@given(st.sampled_from([12, 20, 28, 36, 44, 52]), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1))
def test_fields_stay_inside_the_message(at: int, size: int, offset: int) -> None:
    token = bytearray(authenticate())
    token[at : at + 8] = struct.pack("<HHI", size, size, offset)
    inside = size == 0 or (offset >= 64 and offset + size <= len(token))
    if not inside:
        with pytest.raises(AuthenticationError):
            ntlm_messages.authenticate(bytes(token))


def test_oversized_message_is_refused() -> None:
    with pytest.raises(AuthenticationError, match="bytes"):
        ntlm_messages.authenticate(authenticate() + bytes(ntlm_messages.MAX_MESSAGE))


def test_secrets_stay_out_of_text() -> None:
    _, question = asked()
    assert "b'" not in repr(question)
    assert "b'" not in repr(ANSWER)
