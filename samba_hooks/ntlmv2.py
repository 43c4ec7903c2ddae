"""Judges an NTLMv2 response with the NT hash of the account. Spec: MS-NLMP 3.3.2."""

from __future__ import annotations

import hmac
from typing import Optional

from fsrvpd.protocol.ports import NtlmResponse

NT_HASH_SIZE = 16
_PROOF_SIZE = 16


def session_base_key(nt_hash: bytes, response: NtlmResponse) -> Optional[bytes]:
    """The session's base key, or None when the password was another.

    The domain is hashed as the client spelled it; some hash none (MS-NLMP 3.2.5.1.2).
    """
    proof, blob = response.nt_response[:_PROOF_SIZE], response.nt_response[_PROOF_SIZE:]
    for domain in (response.domain, ""):
        key = response_key(nt_hash, response.account, domain)
        expected = _hmac_md5(key, response.challenge + blob)
        if hmac.compare_digest(expected, proof):
            return _hmac_md5(key, proof)
    return None


def response_key(nt_hash: bytes, account: str, domain: str) -> bytes:
    """NTOWFv2."""
    return _hmac_md5(nt_hash, (_upper(account) + domain).encode("utf-16-le"))


def _upper(account: str) -> str:
    """Upper case character by character, as Windows has it: a ß stays one."""
    return "".join(
        upper if len(upper := character.upper()) == 1 else character for character in account
    )


def _hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, "md5").digest()
