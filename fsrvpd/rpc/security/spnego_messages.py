"""Reads and writes SPNEGO's two tokens. Spec: RFC 4178 4.2, MS-SPNG 2.2.1."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, Optional

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import der
from fsrvpd.rpc.security.der import DerReader

SPNEGO_OID = bytes.fromhex("2b0601050502")  # 1.3.6.1.5.5.2
MAX_MECHANISMS = 32

_NEG_TOKEN_INIT = der.context(0)
_NEG_TOKEN_RESP = der.context(1)


class NegState(IntEnum):
    """Spec: RFC 4178 4.2.2."""

    ACCEPT_COMPLETED = 0
    ACCEPT_INCOMPLETE = 1
    REJECT = 2
    REQUEST_MIC = 3


class NegTokenInit(NamedTuple):
    """`mechanism_list` is the DER of the list as sent: what mechListMIC signs.
    Mechanisms are the contents of their OIDs."""

    mechanism_list: bytes
    mechanisms: tuple[bytes, ...]
    token: Optional[bytes]


class NegTokenResp(NamedTuple):
    token: Optional[bytes]
    mechanism_list_mic: Optional[bytes]


def framed_oid(data: bytes) -> bytes:
    """The mechanism in the frame of a first token (RFC 2743 3.1). Raises: AuthenticationError."""
    return DerReader(der.whole(data, der.APPLICATION)).take(der.OID)


def unframed(data: bytes) -> bytes:
    """The bytes after the mechanism's OID. Raises: AuthenticationError."""
    reader = DerReader(der.whole(data, der.APPLICATION))
    reader.take(der.OID)
    return reader.rest()


def parse_init(data: bytes) -> NegTokenInit:
    """Read a framed NegTokenInit. Raises: AuthenticationError."""
    fields = DerReader(der.whole(der.whole(unframed(data), _NEG_TOKEN_INIT), der.SEQUENCE))
    mechanism_list = fields.take(der.context(0))
    fields.optional(der.context(1))  # reqFlags: unprotected, and so ignored
    token = _octets(fields, 2)
    # A server's hints and a MIC do not belong into a client's first token (MS-SPNG 3.2.5):
    # they are ignored.
    fields.optional(der.context(3))
    fields.optional(der.context(4))
    fields.end()
    return NegTokenInit(mechanism_list, _mechanisms(mechanism_list), token)


def parse_resp(data: bytes) -> NegTokenResp:
    """Read a NegTokenResp. Raises: AuthenticationError, also when it rejects."""
    fields = DerReader(der.whole(der.whole(data, _NEG_TOKEN_RESP), der.SEQUENCE))
    state = fields.optional(der.context(0))
    if state is not None and der.whole(state, der.ENUMERATED) == bytes((NegState.REJECT,)):
        raise AuthenticationError("SPNEGO: the client rejects")
    fields.optional(der.context(1))
    token = _octets(fields, 2)
    mic = _octets(fields, 3)
    fields.end()
    return NegTokenResp(token, mic)


def resp(state: NegState, *, mechanism: bytes = b"", token: bytes = b"", mic: bytes = b"") -> bytes:
    """A NegTokenResp; empty fields are omitted."""
    fields = der.encode(der.context(0), der.encode(der.ENUMERATED, bytes((state,))))
    if mechanism:
        fields += der.encode(der.context(1), der.encode(der.OID, mechanism))
    if token:
        fields += der.encode(der.context(2), der.encode(der.OCTET_STRING, token))
    if mic:
        fields += der.encode(der.context(3), der.encode(der.OCTET_STRING, mic))
    return der.encode(_NEG_TOKEN_RESP, der.encode(der.SEQUENCE, fields))


def _octets(fields: DerReader, number: int) -> Optional[bytes]:
    content = fields.optional(der.context(number))
    return None if content is None else der.whole(content, der.OCTET_STRING)


def _mechanisms(mechanism_list: bytes) -> tuple[bytes, ...]:
    reader = DerReader(der.whole(mechanism_list, der.SEQUENCE))
    found = []
    while reader.peek() is not None:
        found.append(reader.take(der.OID))
        if len(found) > MAX_MECHANISMS:
            raise AuthenticationError(f"SPNEGO: more than {MAX_MECHANISMS} mechanisms")
    return tuple(found)
