"""Verifies an NTLMv2 response with the NT hash of the account. Spec: MS-NLMP 3.3.2."""

from __future__ import annotations

import hmac
from typing import Optional

from fsrvpd.protocol.ports import NtlmResponse

NT_HASH_SIZE = 16
_PROOF_SIZE = 16


def session_base_key(nt_hash: bytes, response: NtlmResponse) -> Optional[bytes]:
    """The session base key, or None if the password was wrong.

    The domain is hashed as the client spelled it; some clients hash none (MS-NLMP 3.2.5.1.2).
    """
    proof, blob = response.nt_response[:_PROOF_SIZE], response.nt_response[_PROOF_SIZE:]
    for domain in (response.domain, ""):
        key = response_key(nt_hash, response.account, domain)
        expected = hmac.digest(key, response.challenge + blob, "md5")
        if hmac.compare_digest(expected, proof):
            return hmac.digest(key, proof, "md5")
    return None


def response_key(nt_hash: bytes, account: str, domain: str) -> bytes:
    """NTOWFv2."""
    return hmac.digest(nt_hash, (_upper(account) + domain).encode("utf-16-le"), "md5")


def _upper(account: str) -> str:
    """Upper case character by character, as on Windows: a ß stays a ß."""
    return "".join(
        upper if len(upper := character.upper()) == 1 else character for character in account
    )
