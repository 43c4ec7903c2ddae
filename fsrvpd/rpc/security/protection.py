"""Signs, seals and opens the fragments of requests and responses, for either end of the wire.

Spec: MS-RPCE 2.2.2.11, 3.3.1.5.2.
"""

from __future__ import annotations

from fsrvpd.core import pdu
from fsrvpd.core.pdu import Pdu, Verifier
from fsrvpd.rpc.security.context import AuthParameters, PduParts, Protection


class PduProtection:
    """An established security context, with what the first PDU with a token determined."""

    def __init__(
        self, protection: Protection, auth_type: int, parameters: AuthParameters, context_id: int
    ) -> None:
        self._protection = protection
        self._context_id = context_id
        self._auth_type = auth_type
        self._level = parameters.level
        self._signs, self._seals = parameters.needs_signing, parameters.needs_sealing

    def protect(self, fragment: bytes) -> bytes:
        """A fragment as it is sent. Its header is as long as that of a response: a request of
        ours has no object UUID."""
        if not self._signs:
            return fragment
        body_size = len(fragment) - pdu.RESPONSE_HEADER_SIZE
        padding = -body_size % pdu.VERIFIER_ALIGNMENT
        verifier = Verifier(self._auth_type, self._level, padding, self._context_id)
        size = self._protection.token_size(body_size + padding)
        whole = pdu.with_verifier(fragment + bytes(padding), verifier, size)
        end = len(whole) - pdu.VERIFIER_SIZE
        head = whole[: pdu.RESPONSE_HEADER_SIZE]
        parts = PduParts(head, whole[pdu.RESPONSE_HEADER_SIZE : end], whole[end:])
        return self._protected(parts)

    def overhead(self, body_size: int) -> int:
        """The most bytes that `protect` adds to a fragment."""
        if not self._signs:
            return 0
        padding = pdu.VERIFIER_ALIGNMENT - 1
        return padding + pdu.VERIFIER_SIZE + self._protection.token_size(body_size + padding)

    def opened(self, parsed: Pdu, data: bytes) -> bytes:
        """The stub in a fragment that has a verifier. Raises: BadSignature."""
        verifier = parsed.token - pdu.VERIFIER_SIZE
        parts = PduParts(
            data[: parsed.body], data[parsed.body : verifier], data[verifier : parsed.token]
        )
        return self._unprotected(parts, data[parsed.token :])[: parsed.body_size]

    def agrees(self, parsed: Pdu) -> bool:
        """Whether a PDU's verifier is of the provider and level that were agreed on."""
        return parsed.auth_type == self._auth_type and parsed.auth_level == self._level

    def _unprotected(self, parts: PduParts, token: bytes) -> bytes:
        if self._seals:
            return self._protection.unseal(parts, token)
        if self._signs:
            self._protection.verify(parts, token)
        return parts.body

    def _protected(self, parts: PduParts) -> bytes:
        if self._seals:
            body, token = self._protection.seal(parts)
            return parts.head + body + parts.sec_trailer + token
        return b"".join((*parts, self._protection.sign(parts)))
