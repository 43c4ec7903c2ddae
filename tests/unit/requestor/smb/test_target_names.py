from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.requestor.smb.target_names import proved_names
from fsrvpd.rpc.security.context import AuthLevel, AuthParameters, Reply
from fsrvpd.rpc.security.ntlm import ChallengeFields, NtlmAcceptor
from fsrvpd.rpc.security.ntlm_messages import Names
from tests.unit.rpc.security.initiators import FILE_TIME, Impacket

NAMES = Names("NAS", "WORKGROUP", "nas.lab.example", "lab.example", False)


def challenge() -> bytes:
    parameters = AuthParameters(AuthLevel.PKT_INTEGRITY, True)
    reply = NtlmAcceptor(parameters, ChallengeFields(NAMES, bytes(8), FILE_TIME)).step(
        Impacket().first()
    )
    assert isinstance(reply, Reply)
    return reply.token


def test_the_computers_names_are_found_and_its_domains_are_not() -> None:
    assert proved_names([b"\xa1" + challenge()]) == {"nas", "nas.lab.example"}


def test_other_tokens_have_none() -> None:
    assert proved_names([]) == frozenset()
    assert proved_names([b"", b"NTLMSSP\0", b"NTLMSSP\0" + struct.pack("<I", 3)]) == frozenset()


@given(st.integers(0, 400), st.binary(max_size=8))
def test_hostile_bytes(place: int, put: bytes) -> None:
    token = challenge()
    names = proved_names([token[:place] + put + token[place + len(put) :]])
    assert all(isinstance(name, str) and name for name in names)


@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    proved_names([b"NTLMSSP\0\2\0\0\0" + data])
