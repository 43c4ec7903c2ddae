"""python-gssapi as the initiator, to test the Kerberos acceptor in memory.

It needs a ticket in a cache and no network: the service name comes from the ticket.
"""

from __future__ import annotations

from pathlib import Path

from gssapi import raw
from gssapi.raw import IOV, IOVBufferType, RequirementFlag

from fsrvpd.rpc.security.context import PduParts

KRB5 = raw.OID(elements=bytes.fromhex("2a864886f712010202"))
PRINCIPAL_NAME = raw.OID(elements=bytes.fromhex("2a864886f71201020201"))
EVERYTHING = (
    RequirementFlag.mutual_authentication
    | RequirementFlag.replay_detection
    | RequirementFlag.out_of_sequence_detection
    | RequirementFlag.confidentiality
    | RequirementFlag.integrity
    | RequirementFlag.dce_style
)


class Initiator:
    def __init__(
        self, cache: Path, service: str, header_signing: bool, flags: int = EVERYTHING
    ) -> None:
        self._header_signing = header_signing
        self._flags = flags
        self._name = raw.import_name(service.encode(), PRINCIPAL_NAME)
        store = {b"ccache": f"FILE:{cache}".encode()}
        self._credential = raw.acquire_cred_from(store, mechs=[KRB5], usage="initiate").creds
        self._context = None

    def first(self) -> bytes:
        return self.next(b"")

    def next(self, token: bytes) -> bytes:
        result = raw.init_sec_context(
            self._name,
            self._credential,
            self._context,
            KRB5,
            self._flags,
            input_token=token or None,
        )
        self._context = result.context
        return result.token or b""

    def sign(self, message: PduParts) -> bytes:
        return raw.get_mic(self._context, self._signed(message))

    def verify(self, message: PduParts, token: bytes) -> None:
        raw.verify_mic(self._context, self._signed(message), token)

    def seal(self, message: PduParts) -> tuple[bytes, bytes]:
        iov = self._iov(message, None)
        raw.wrap_iov(self._context, iov, confidential=True)
        return iov[self._place].value or b"", iov[-1].value or b""

    def unseal(self, message: PduParts, token: bytes) -> bytes:
        iov = self._iov(message, token)
        assert raw.unwrap_iov(self._context, iov).encrypted
        return iov[self._place].value or b""

    @property
    def _place(self) -> int:
        return 1 if self._header_signing else 0

    def _signed(self, message: PduParts) -> bytes:
        return b"".join(message) if self._header_signing else message.body

    def _iov(self, message: PduParts, token: bytes | None) -> IOV:
        parts = [
            (IOVBufferType.sign_only, False, message.head),
            (IOVBufferType.data, False, message.body),
            (IOVBufferType.sign_only, False, message.sec_trailer),
        ]
        if not self._header_signing:
            parts = parts[1:2]
        return IOV(*parts, (IOVBufferType.header, token is None, token), std_layout=False)
