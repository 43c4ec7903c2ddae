"""What a server, or somebody between, may do to an answer that smbprotocol reads."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Callable, Iterator

import pytest
from smbprotocol import Dialects
from smbprotocol.connection import Ciphers, SigningAlgorithms, SMB2Echo
from smbprotocol.exceptions import SMBConnectionClosed, SMBException
from smbprotocol.header import Commands
from smbprotocol.transport import Tcp

from fsrvpd.requestor.smb.connection import MAX_MESSAGE, StrictConnection, TimedOut

KEY, SESSION, TREE = bytes(range(16)), 5, 3
FLAGS, COMMAND = slice(16, 20), slice(12, 14)  # of a header
FROM_SERVER, SIGNED = 1, 8


class Peer:
    """A connection with a session, and the server's end of its socket."""

    def __init__(self, end: socket.socket, server: socket.socket, algorithm: int) -> None:
        self.server = server
        self.connection = StrictConnection("nas")
        self.connection.transport = Tcp("nas", 445)
        self.connection.transport._sock, self.connection.transport.connected = end, True
        self.connection.dialect = Dialects.SMB_3_1_1
        self.connection.signing_algorithm_id = algorithm
        self.connection.cipher_id = Ciphers.AES_128_GCM
        self.tree = SimpleNamespace(is_dfs_share=False, encrypt_data=False)
        self.session = SimpleNamespace(
            session_id=SESSION,
            signing_required=True,
            encrypt_data=False,
            signing_key=KEY,
            encryption_key=KEY,
            decryption_key=KEY,
            tree_connect_table={TREE: self.tree},
        )
        self.connection.session_table[SESSION] = self.session

    def ask(self, answer: Callable[[bytes], bytes]) -> None:
        """Send a request, to which `answer` makes the message that is received."""
        sent = self.connection.send(SMB2Echo(), sid=SESSION, tid=TREE)
        self.server.recv(65536)
        data = answer(sent.message.pack())
        self.server.sendall(struct.pack(">I", len(data)) + data)
        self.connection.receive(sent)

    def signed(self, request: bytes, *, command: int = Commands.SMB2_ECHO) -> bytes:
        """As the server signs it."""
        data = bytearray(request)
        data[FLAGS] = struct.pack("<I", FROM_SERVER | SIGNED)
        data[COMMAND] = struct.pack("<H", command)
        made = self.connection._generate_signature(bytes(data), KEY, 0, True, command)
        return bytes(data[:48]) + bytes(made) + bytes(data[64:])

    def encrypted(self, data: bytes) -> bytes:
        return bytes(self.connection._encrypt(data, self.session).pack())


def unsigned(request: bytes, *, command: int) -> bytes:
    data = bytearray(request)
    data[FLAGS] = struct.pack("<I", FROM_SERVER)
    data[COMMAND] = struct.pack("<H", command)
    data[48:64] = bytes(16)
    return bytes(data)


@contextmanager
def opened(algorithm: int = SigningAlgorithms.AES_CMAC) -> Iterator[Peer]:
    end, server = socket.socketpair()
    with end, server:
        yield Peer(end, server, algorithm)


ALGORITHMS = pytest.mark.parametrize(
    "algorithm",
    [SigningAlgorithms.HMAC_SHA256, SigningAlgorithms.AES_CMAC, SigningAlgorithms.AES_GMAC],
)


@ALGORITHMS
def test_a_signed_answer_is_taken(algorithm: int) -> None:
    with opened(algorithm) as peer:
        peer.ask(peer.signed)
        assert peer.connection.round_trips == 1


@ALGORITHMS
def test_a_request_that_comes_back_is_no_answer(algorithm: int) -> None:
    """Its signature is right: one key is used in both directions."""
    with opened(algorithm) as peer, pytest.raises(SMBException, match="instead of an answer"):
        peer.ask(lambda request: request)


def test_what_is_not_signed_is_no_answer() -> None:
    with opened() as peer, pytest.raises(SMBException, match="signature"):
        peer.ask(lambda request: unsigned(request, command=Commands.SMB2_ECHO))


@pytest.mark.parametrize("command", [Commands.SMB2_SESSION_SETUP, Commands.SMB2_NEGOTIATE])
def test_it_is_not_taken_for_an_answer_that_need_not_be_signed(command: int) -> None:
    with opened() as peer, pytest.raises(SMBException, match="another command"):
        peer.ask(lambda request: unsigned(request, command=command))


@pytest.mark.parametrize("whole", [True, False], ids=["session", "tree"])
def test_what_is_encrypted_is_answered_so(whole: bool) -> None:
    with opened() as peer:
        encrypted, signs = (peer.session, False) if whole else (peer.tree, True)
        encrypted.encrypt_data, peer.session.signing_required = True, signs
        peer.ask(lambda request: peer.encrypted(unsigned(request, command=Commands.SMB2_ECHO)))
        with pytest.raises(SMBException, match="not encrypted"):
            peer.ask(peer.signed)


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    with opened() as peer:
        peer.connection.limit(0.3)
        sent = peer.connection.send(SMB2Echo(), sid=SESSION)
        over = threading.Event()

        def drip() -> None:
            for byte in struct.pack(">I", 2000) + bytes(2000):
                if over.wait(0.05):
                    return
                peer.server.send(bytes([byte]))

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(TimedOut):
                peer.connection.receive(sent)
        finally:
            over.set()
            thread.join(30)


def test_the_longest_message_is_read_in_parts() -> None:
    with opened() as peer:
        data = bytes(MAX_MESSAGE)
        thread = threading.Thread(target=peer.server.sendall, args=(data,))
        thread.start()
        assert peer.connection.transport._recv(len(data), 30.0)[0] == data
        thread.join(30)


def test_the_end_of_a_connection() -> None:
    with opened() as peer:
        sent = peer.connection.send(SMB2Echo(), sid=SESSION)
        peer.server.shutdown(socket.SHUT_RDWR)
        with pytest.raises(SMBConnectionClosed):
            peer.connection.receive(sent)
