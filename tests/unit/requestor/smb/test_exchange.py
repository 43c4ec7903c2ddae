"""What a server, or somebody between, may answer to a request of the pipe."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smbprotocol import Dialects
from smbprotocol.connection import Ciphers, SigningAlgorithms
from smbprotocol.exceptions import SMBConnectionClosed, SMBException, SMBResponseException

from fsrvpd.requestor.smb.connection import HEADER_SIZE, UNASKED, StrictConnection
from fsrvpd.requestor.smb.exchange import Message, exchange

IOCTL, READ = 11, 8
PENDING, PIPE_BROKEN = 0x103, 0xC000014B
SIGNED, FROM_SERVER = 8, 1
KEY = bytes(range(16))


class Peer(StrictConnection):
    """A connection without a socket. `answer` makes what is read of what was sent."""

    def __init__(self, *, encrypted: bool = False) -> None:
        super().__init__("nas")
        self.dialect = Dialects.SMB_3_1_1
        self.signing_algorithm_id = SigningAlgorithms.AES_CMAC
        self.cipher_id = Ciphers.AES_128_GCM
        self.supports_multi_credit = True
        self.sequence_window["high"] = 8
        self.answers: list[bytes] = []
        self.sent: list[bytes] = []
        self.session = SimpleNamespace(
            encrypt_data=encrypted,
            signing_required=True,
            signing_key=KEY,
            session_id=5,
            encryption_key=KEY,
            decryption_key=KEY,
        )
        self.session_table[5] = self.session
        self.tree: Any = SimpleNamespace(
            session=self.session, encrypt_data=False, tree_connect_id=3
        )

    @property
    def transport(self) -> Any:
        return SimpleNamespace(send=self.sent.append, connected=True)

    @transport.setter
    def transport(self, made: object) -> None:
        pass

    def read_bytes(self) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def signed(
        self,
        body: bytes = b"",
        *,
        message_id: int = 0,
        status: int = 0,
        command: int = IOCTL,
        credits: int = 1,
        sign: bool = True,
    ) -> bytes:
        flags = FROM_SERVER | (SIGNED if sign else 0)
        head = struct.pack(
            "<4sHHIHHIIQIIQ16s",
            *(b"\xfeSMB", HEADER_SIZE, 1, status, command, credits, flags, 0),
            *(message_id, 0, 3, 5, b""),
        )
        data: bytes = head + body
        if sign:
            made = self._generate_signature(data, KEY, message_id, True, command)
            data = data[:48] + made + data[HEADER_SIZE:]
        return data

    def ask(self, *answers: bytes) -> Message:
        self.answers = list(answers)
        return exchange(self, self.tree, IOCTL, b"body")


def test_a_request_is_signed_and_its_answer_verified() -> None:
    peer = Peer()
    assert peer.ask(peer.signed(b"answer")).data[HEADER_SIZE:] == b"answer"
    (sent,) = peer.sent
    assert sent[HEADER_SIZE:] == b"body"
    assert struct.unpack_from("<I", sent, 16)[0] & SIGNED
    assert sent[48:64] == peer._generate_signature(sent, KEY, 0, False, IOCTL)
    assert peer.round_trips == 1


def test_messages_are_numbered_and_credits_counted() -> None:
    peer = Peer()
    for number in range(20):
        peer.ask(peer.signed(message_id=number))
    assert [struct.unpack_from("<Q", sent, 24)[0] for sent in peer.sent] == list(range(20))
    assert peer.sequence_window == {"low": 20, "high": 28}


def test_without_credits_nothing_is_sent() -> None:
    peer = Peer()
    peer.sequence_window["high"] = 0
    with pytest.raises(SMBException, match="credits"):
        peer.ask()
    assert peer.sent == []


def test_interim_answers_and_what_nobody_asked_for_are_passed_over() -> None:
    peer = Peer()
    answer = peer.ask(
        peer.signed(status=PENDING, sign=False),
        peer.signed(message_id=UNASKED, command=18, sign=False),
        peer.signed(b"answer"),
    )
    assert answer.data[HEADER_SIZE:] == b"answer"


def test_a_status_is_an_answer() -> None:
    peer = Peer()
    answer = peer.ask(peer.signed(status=PIPE_BROKEN))
    assert answer.status == PIPE_BROKEN
    assert isinstance(answer.failure(), SMBResponseException)
    assert answer.failure().status == PIPE_BROKEN


WRONG: dict[str, Callable[[Peer], bytes]] = {
    "not signed": lambda peer: peer.signed(sign=False),
    "changed": lambda peer: peer.signed(b"answer")[:-1] + b"x",
    "other request": lambda peer: peer.signed(message_id=1),
    "other command": lambda peer: peer.signed(command=READ),
    "cut short": lambda peer: peer.signed()[:63],
    "not SMB 2": lambda peer: b"\xffSMB" + peer.signed()[4:],
    "compound": lambda peer: peer.signed()[:20] + b"\x08" + peer.signed()[21:],
    "encrypted without a session": lambda peer: b"\xfdSMB" + bytes(60),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_is_refused(kind: str) -> None:
    peer = Peer()
    with pytest.raises(SMBException):
        peer.ask(WRONG[kind](peer))


def test_the_end_of_the_connection() -> None:
    with pytest.raises(SMBConnectionClosed):
        Peer().ask(b"")


def test_encrypted_sessions_encrypt_and_take_nothing_else() -> None:
    peer = Peer(encrypted=True)
    sealed: Optional[bytes] = peer._encrypt(peer.signed(b"answer", sign=False), peer.session).pack()
    assert peer.ask(sealed).data[HEADER_SIZE:] == b"answer"
    assert peer.sent[0][:4] == b"\xfdSMB"
    assert b"body" not in peer.sent[0]
    with pytest.raises(SMBException, match="not encrypted"):
        peer.ask(peer.signed(b"answer", message_id=1))


@given(st.integers(0, 80), st.binary(min_size=1, max_size=8))
def test_no_changed_answer_is_taken(place: int, put: bytes) -> None:
    peer = Peer()
    good = peer.signed(b"the answer of it")
    changed = good[:place] + put + good[place + len(put) :]
    try:
        answer = peer.ask(changed)
    except SMBException:
        return
    assert changed == good
    assert answer.data == good
