"""The SPNEGO acceptor: chooses a mechanism from the client's list and hands it the tokens.

All our mechanisms end with the client's token, so the client sends its signature over
the list of mechanisms first, with that token, and ours answers it. Where the client's
first choice was not ours these signatures are the only proof that nobody shortened the
list, and without them it ends.

Spec: RFC 4178 4.2, 5; MS-SPNG 3.2.5, 3.1.5.1.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Union

from fsrvpd.errors import AuthenticationError
from fsrvpd.protocol.ports import NtlmResponse, VerifiedAccount
from fsrvpd.rpc.security import spnego_messages
from fsrvpd.rpc.security.context import (
    BadSignature,
    Mechanism,
    Message,
    Principal,
    Progress,
    Reply,
)
from fsrvpd.rpc.security.spnego_messages import NegState

NTLMSSP_OID = bytes.fromhex("2b06010401823702020a")  # 1.3.6.1.4.1.311.2.2.10
KRB5_OID = bytes.fromhex("2a864886f712010202")  # 1.2.840.113554.1.2.2
MS_KRB5_OID = bytes.fromhex("2a864882f712010202")  # 1.2.840.48018.1.2.2, Windows 2000's slip

Makers = Mapping[bytes, Callable[[], Mechanism]]


class SpnegoAcceptor:
    """A `SecurityContext`. `makers`: per OID what begins the mechanism behind it."""

    def __init__(self, makers: Makers) -> None:
        self._makers = makers
        self._mechanism: Optional[Mechanism] = None
        self._raw = False  # the client left SPNEGO out
        self._mechanism_list = b""
        self._mic_needed = False
        self._client_mic: Optional[bytes] = None

    @property
    def principal(self) -> Optional[Principal]:
        return None if self._mechanism is None else self._mechanism.principal

    def step(self, token: bytes) -> Progress:
        if self._mechanism is None:
            return self._begin(token)
        if self._raw:
            return self._mechanism.step(token)
        answer = spnego_messages.parse_resp(token)
        if answer.token is None:
            raise AuthenticationError("SPNEGO: the client sends no token")
        self._client_mic = answer.mechanism_list_mic
        return self._wrapped(self._mechanism.step(answer.token))

    def resume(self, answer: VerifiedAccount) -> Reply:
        reply = self._chosen().resume(answer)
        return reply if self._raw else self._wrap(reply)

    def token_size(self, body_size: int) -> int:
        return self._chosen().token_size(body_size)

    def sign(self, message: Message) -> bytes:
        return self._chosen().sign(message)

    def verify(self, message: Message, token: bytes) -> None:
        self._chosen().verify(message, token)

    def seal(self, message: Message) -> tuple[bytes, bytes]:
        return self._chosen().seal(message)

    def unseal(self, message: Message, token: bytes) -> bytes:
        return self._chosen().unseal(message, token)

    def _begin(self, token: bytes) -> Progress:
        raw = _raw_mechanism(token)
        if raw is not None:
            self._raw = True
            self._mechanism = self._make(raw)
            return self._mechanism.step(token)
        init = spnego_messages.parse_init(token)
        self._mechanism_list = init.mechanism_list
        oid = self._choose(init.mechanisms)
        self._mechanism = self._make(oid)
        if oid != init.mechanisms[0]:
            # The token that came along is for another mechanism. RFC 4178 4.2.2.
            self._mic_needed = True
            return Reply(spnego_messages.resp(NegState.REQUEST_MIC, mechanism=oid), False)
        if init.token is None:
            return Reply(spnego_messages.resp(NegState.ACCEPT_INCOMPLETE, mechanism=oid), False)
        return self._wrapped(self._mechanism.step(init.token), oid)

    def _choose(self, offered: tuple[bytes, ...]) -> bytes:
        for oid in offered:
            if oid in self._makers:
                return oid
        raise AuthenticationError(
            "SPNEGO: the client offers none of our mechanisms, but "
            + (", ".join(oid.hex() for oid in offered) or "none at all")
        )

    def _make(self, oid: bytes) -> Mechanism:
        if oid not in self._makers:
            raise AuthenticationError(f"SPNEGO: mechanism {oid.hex()} is not available")
        return self._makers[oid]()

    def _wrapped(self, progress: Progress, oid: bytes = b"") -> Progress:
        return progress if isinstance(progress, NtlmResponse) else self._wrap(progress, oid)

    def _wrap(self, reply: Reply, oid: bytes = b"") -> Reply:
        if not reply.done:
            token = spnego_messages.resp(
                NegState.ACCEPT_INCOMPLETE, mechanism=oid, token=reply.token
            )
            return Reply(token, False)
        mic = self._exchange_mics()
        return Reply(
            spnego_messages.resp(NegState.ACCEPT_COMPLETED, token=reply.token, mic=mic), True
        )

    def _exchange_mics(self) -> bytes:
        """Check the client's and return ours, or nothing when there is none to answer."""
        if self._client_mic is None:
            if self._mic_needed:
                raise AuthenticationError("SPNEGO: no signature over the list of mechanisms")
            return b""
        try:
            self._chosen().verify_mic(self._mechanism_list, self._client_mic)
        except BadSignature as error:
            raise AuthenticationError(f"SPNEGO: the list of mechanisms: {error}") from error
        return self._chosen().mic(self._mechanism_list)

    def _chosen(self) -> Mechanism:
        if self._mechanism is None:
            raise BadSignature("SPNEGO: a signed message before the client was authenticated")
        return self._mechanism


def _raw_mechanism(token: bytes) -> Union[bytes, None]:
    """The mechanism of a first token that comes without SPNEGO, as Windows tolerates."""
    if token.startswith(b"NTLMSSP\0"):
        return NTLMSSP_OID
    if token[:1] == b"\x6e":  # AP-REQ, DCE style
        return KRB5_OID
    oid = spnego_messages.framed_oid(token)
    return None if oid == spnego_messages.SPNEGO_OID else oid
