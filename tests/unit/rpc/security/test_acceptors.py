"""The acceptors with independent initiators, message by message, in memory."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security.context import (
    AuthLevel,
    AuthParameters,
    AuthType,
    BadSignature,
    Principal,
    SecurityContext,
)
from fsrvpd.rpc.security.ntlm_messages import Names
from tests.unit.rpc.security import initiators
from tests.unit.rpc.security.initiators import (
    DOMAIN,
    USER,
    USER_SID,
    Impacket,
    PasswordList,
    Pyspnego,
    acceptors,
    join,
    pdu,
)

Peer = Callable[..., Any]
SIGNED = AuthParameters(AuthLevel.PKT_INTEGRITY, True)
SEALED = AuthParameters(AuthLevel.PKT_PRIVACY, True)
BODIES = [b"first body" * 3, b"", b"third", bytes(range(256)) * 16]

PEERS: dict[str, tuple[Peer, AuthType]] = {
    "impacket": (Impacket, AuthType.WINNT),
    "pyspnego-ntlm": (lambda **login: Pyspnego("ntlm", **login), AuthType.WINNT),
    "pyspnego-negotiate": (lambda **login: Pyspnego("negotiate", **login), AuthType.GSS_NEGOTIATE),
    "raw-in-spnego": (Impacket, AuthType.GSS_NEGOTIATE),
}


@pytest.fixture(params=list(PEERS))
def peer(request: pytest.FixtureRequest) -> tuple[Peer, AuthType]:
    return PEERS[request.param]


def joined(peer: tuple[Peer, AuthType], parameters: AuthParameters) -> tuple[Any, SecurityContext]:
    client, server = peer[0](), acceptors().begin(peer[1], parameters)
    join(client, server)
    return client, server


def test_client_is_proved(peer: tuple[Peer, AuthType]) -> None:
    _, server = joined(peer, SIGNED)
    assert server.principal == Principal(f"{DOMAIN}\\{USER}", USER_SID)


def test_nobody_is_proved_before_the_end(peer: tuple[Peer, AuthType]) -> None:
    client, server = peer[0](), acceptors().begin(peer[1], SIGNED)
    assert server.principal is None
    server.step(client.first())
    assert server.principal is None
    with pytest.raises(BadSignature, match="before the client has authenticated"):
        server.verify(pdu(b"early"), bytes(16))


def test_signed_both_ways(peer: tuple[Peer, AuthType]) -> None:
    client, server = joined(peer, SIGNED)
    for number, body in enumerate(BODIES):
        server.verify(pdu(body, number), client.sign(pdu(body, number)))
        token = server.sign(pdu(body, number))
        assert len(token) == server.token_size(len(body))
        client.verify(pdu(body, number), token)


def test_sealed_both_ways(peer: tuple[Peer, AuthType]) -> None:
    client, server = joined(peer, SEALED)
    for number, body in enumerate(BODIES):
        sealed, token = client.seal(pdu(body, number))
        assert server.unseal(pdu(sealed, number), token) == body
        sealed, token = server.seal(pdu(body, number))
        assert (len(sealed), len(token)) == (len(body), server.token_size(len(body)))
        assert client.unseal(pdu(sealed, number), token) == body


@pytest.mark.parametrize("part", ["head", "body", "sec_trailer"])
def test_tampering_is_noticed(peer: tuple[Peer, AuthType], part: str) -> None:
    client, server = joined(peer, SIGNED)
    token = client.sign(pdu(b"the body"))
    changed = bytearray(getattr(pdu(b"the body"), part))
    changed[0] ^= 1
    with pytest.raises(BadSignature):
        server.verify(pdu(b"the body")._replace(**{part: bytes(changed)}), token)


@pytest.mark.parametrize("part", ["head", "body", "sec_trailer"])
def test_tampering_with_what_is_sealed_is_noticed(peer: tuple[Peer, AuthType], part: str) -> None:
    client, server = joined(peer, SEALED)
    sealed, token = client.seal(pdu(b"the body"))
    changed = bytearray(getattr(pdu(sealed), part))
    changed[0] ^= 1
    with pytest.raises(BadSignature):
        server.unseal(pdu(sealed)._replace(**{part: bytes(changed)}), token)


@pytest.mark.parametrize("token", [b"", bytes(16), b"\x01" + bytes(15), bytes(4096)])
def test_made_up_signature_is_refused(peer: tuple[Peer, AuthType], token: bytes) -> None:
    _, server = joined(peer, SIGNED)
    with pytest.raises(BadSignature):
        server.verify(pdu(b"the body"), token)


def test_replay_is_noticed(peer: tuple[Peer, AuthType]) -> None:
    client, server = joined(peer, SIGNED)
    token = client.sign(pdu(b"once"))
    server.verify(pdu(b"once"), token)
    with pytest.raises(BadSignature):
        server.verify(pdu(b"once"), token)


def test_message_left_out_is_noticed(peer: tuple[Peer, AuthType]) -> None:
    client, server = joined(peer, SIGNED)
    client.sign(pdu(b"first"))
    with pytest.raises(BadSignature):
        server.verify(pdu(b"second"), client.sign(pdu(b"second")))


def test_own_message_cannot_be_reflected(peer: tuple[Peer, AuthType]) -> None:
    _, server = joined(peer, SIGNED)
    with pytest.raises(BadSignature):
        server.verify(pdu(b"ours"), server.sign(pdu(b"ours")))


def test_wrong_password_is_refused(peer: tuple[Peer, AuthType]) -> None:
    client = peer[0](password="guessed")
    server = acceptors().begin(peer[1], SIGNED)
    with pytest.raises(AuthenticationError, match="wrong password"):
        join(client, server)
    assert server.principal is None


def test_wrong_base_key_is_no_session(peer: tuple[Peer, AuthType]) -> None:
    """A verifier that returns a key of another length is faulty."""
    client, server = peer[0](), acceptors().begin(peer[1], SIGNED)
    answer = PasswordList().verify

    class Short(PasswordList):
        def verify(self, response: Any, user_sid: str = USER_SID) -> Any:
            return answer(response)._replace(session_base_key=b"short")

    with pytest.raises(AuthenticationError, match="5 bytes"):
        join(client, server, Short())


def test_token_after_the_last_is_refused(peer: tuple[Peer, AuthType]) -> None:
    client, server = joined(peer, SIGNED)
    with pytest.raises(AuthenticationError):
        server.step(client.first() if isinstance(client, Impacket) else b"\xa1\x02\x30\x00")


def test_member_names_its_domain() -> None:
    """pyspnego shows the target that it received."""
    names = Names("MEMBER", "LABDOM", "member.lab.example", "lab.example", True)
    client, server = Impacket(), acceptors(names).begin(AuthType.WINNT, SIGNED)
    progress = server.step(client.first())
    challenge = initiators.ntlm.NTLMAuthChallenge(progress.token)  # type: ignore[union-attr]
    assert challenge["domain_name"] == "LABDOM".encode("utf-16-le")
    pairs = initiators.ntlm.AV_PAIRS(challenge["TargetInfoFields"])
    assert (
        pairs[initiators.ntlm.NTLMSSP_AV_DNS_HOSTNAME][1].decode("utf-16-le") == names.dns_computer
    )
    assert pairs[initiators.ntlm.NTLMSSP_AV_TIME][1] == initiators.FILE_TIME.to_bytes(8, "little")


@pytest.mark.parametrize("auth_type", [0, 1, 14, 16, 68, 255])
def test_other_providers_are_refused(auth_type: int) -> None:
    """16 is Kerberos, which only an Active Directory has."""
    with pytest.raises(AuthenticationError, match=r"no security provider|Kerberos cannot be used"):
        acceptors().begin(auth_type, SIGNED)


@pytest.mark.parametrize("level", [0, 1, 7])
def test_other_levels_are_refused(level: int) -> None:
    with pytest.raises(AuthenticationError, match="no authentication level"):
        acceptors().begin(AuthType.WINNT, AuthParameters(level, True))  # type: ignore[arg-type]
