"""A client of an association that authenticates with an independent initiator.

It follows C706 and MS-RPCE unless a test asks for something else.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Optional, Sequence

from fsrvpd.core import ndr
from fsrvpd.core.messages import Opnum, SetContext
from fsrvpd.core.ndr import Syntax
from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.association import Association, RpcRequest
from fsrvpd.rpc.security.context import AuthLevel, AuthType, PduParts
from tests.oracle import pdu
from tests.oracle.pdu import Context
from tests.unit.rpc.security.initiators import PasswordList, acceptors

PLAIN = [Context(0, pdu.INTERFACE, [pdu.NDR])]
SET_CONTEXT = ndr.encode_request(SetContext(0x19), Syntax.NDR)


class Answer(NamedTuple):
    kind: int
    flags: int
    call_id: int
    body: bytes
    verifier: bytes
    token: bytes
    whole: bytes


def read(data: bytes) -> Answer:
    """A PDU of the server, with the verifier that it may carry."""
    kind, flags = data[2:4]
    size, token_size, call_id = struct.unpack_from("<HHI", data, 8)
    assert size == len(data)
    end = len(data) - (token_size + 8 if token_size else 0)
    return Answer(kind, flags, call_id, data[16:end], data[end : end + 8], data[end + 8 :], data)


class SecuredClient:
    """`initiator` is one of `initiators`. Accounts are verified at once, unless `patient`: then
    the test calls `resume`."""

    def __init__(
        self,
        initiator: Any,
        auth_type: int = AuthType.WINNT,
        level: int = AuthLevel.PKT_INTEGRITY,
        *,
        header_signing: bool = True,
        patient: bool = False,
        context_id: int = 79231,
    ) -> None:
        self.association = Association(7, acceptors())
        self.initiator = initiator
        self.auth_type, self.level, self.context_id = auth_type, level, context_id
        self.flags = 3 | (pdu.HEADER_SIGNING if header_signing else 0)
        self.patient = patient

    # -- authentication

    def bind(self, contexts: Sequence[Context] = PLAIN, **options: Any) -> Answer:
        token = self.initiator.first()
        options.setdefault("flags", self.flags)
        self.send(pdu.bind(contexts, verifier=self.verifier(token), **options))
        return self.only()

    def auth3(self, token: bytes) -> list[RpcRequest]:
        return self.send(pdu.message(pdu.AUTH3, bytes(4), verifier=self.verifier(token)))

    def alter(self, token: bytes) -> Answer:
        verifier = self.verifier(token)
        self.send(
            pdu.bind(PLAIN, kind=pdu.ALTER_CONTEXT, flags=self.flags, call_id=2, verifier=verifier)
        )
        return self.only()

    def authenticate(self, contexts: Sequence[Context] = PLAIN, **options: Any) -> None:
        """The three legs: raw mechanisms end with auth3, SPNEGO with alter_context."""
        ack = self.bind(contexts, **options)
        assert ack.kind == pdu.BIND_ACK
        token = self.initiator.next(ack.token)
        if self.auth_type != AuthType.GSS_NEGOTIATE:
            self.auth3(token)
            return
        answer = self.alter(token)
        assert answer.kind == pdu.ALTER_CONTEXT_RESPONSE
        if answer.token:
            assert not self.initiator.next(answer.token)

    # -- messages

    def request(
        self, stub: bytes = SET_CONTEXT, opnum: int = Opnum.SetContext, **options: Any
    ) -> bytes:
        """A request, protected as the level demands."""
        padding = -len(stub) % 16
        body = stub + bytes(padding)
        trailer = self.verifier(b"", padding)
        if self.level < AuthLevel.CALL:
            return pdu.request(opnum, body, verifier=trailer + bytes(16), **options)
        whole = pdu.request(opnum, body, verifier=trailer + bytes(16), **options)
        message = PduParts(whole[:24], whole[24:-24], whole[-24:-16])
        if self.level < AuthLevel.PKT_PRIVACY:
            return b"".join(message) + self.initiator.sign(message)
        sealed, token = self.initiator.seal(message)
        return message.head + sealed + message.sec_trailer + token

    def opened(self, answer: Answer) -> bytes:
        """The stub of a response, after its signature was verified."""
        assert answer.kind == pdu.RESPONSE
        if self.level < AuthLevel.CALL:
            assert not answer.token
            return answer.body[8:]
        auth_type, level, padding, _, context_id = struct.unpack("<BBBBI", answer.verifier)
        assert (auth_type, level, context_id) == (self.auth_type, self.level, self.context_id)
        assert len(answer.body[8:]) % 16 == 0
        message = PduParts(answer.whole[:24], answer.body[8:], answer.verifier)
        if self.level < AuthLevel.PKT_PRIVACY:
            self.initiator.verify(message, answer.token)
            body = message.body
        else:
            body = self.initiator.unseal(message, answer.token)
        return body[: len(body) - padding]

    def send(self, data: bytes) -> list[RpcRequest]:
        calls = self.association.receive(data)
        if self.association.pending_verification is not None and not self.patient:
            calls += self.association.resume(self.verification())
        return calls

    def verification(self) -> Any:
        """The result of the verification."""
        assert self.association.pending_verification is not None
        try:
            return PasswordList().verify(self.association.pending_verification)
        except AuthenticationError as error:
            return error

    def answers(self) -> list[Answer]:
        return [read(data) for data in self.association.outgoing()]

    def only(self) -> Answer:
        (answer,) = self.answers()
        return answer

    def fault(self) -> int:
        answer = self.only()
        assert answer.kind == pdu.FAULT
        return int(struct.unpack_from("<I", answer.body, 8)[0])

    def verifier(self, token: bytes, padding: int = 0) -> bytes:
        return (
            struct.pack("<BBBBI", self.auth_type, self.level, padding, 0, self.context_id) + token
        )


def nak_reason(answer: Optional[Answer]) -> int:
    assert answer is not None
    assert answer.kind == pdu.BIND_NAK
    return int(struct.unpack_from("<H", answer.body)[0])
