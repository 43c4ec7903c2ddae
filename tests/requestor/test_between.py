"""Somebody on the wire who downgrades the login, or changes, forges or repeats an answer."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Iterator, NamedTuple

import pytest

from fsrvpd.core import messages
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.dfs import DfsReferrals
from tests.requestor.between import FROM_CLIENT, FROM_SERVER, Between, Change
from tests.requestor.file_servers import FileServer, open_network
from tests.requestor.test_agent_connection import CREDENTIALS

# Of a header, and of the body of an answer to Negotiate.
COMMAND, FLAGS, SIGNATURE = 12, 16, slice(48, 64)
DIALECT, CAPABILITIES = 64 + 4, 64 + 24
# Of a request of Negotiate.
DIALECTS, SECURITY_MODE = 64 + 36, 64 + 4
# Messages: Negotiate, 0; the two legs of the login; IPC$; the pipe; those of the bind; the call, 7.
NEGOTIATED, LOGGED_IN, TREE, PIPE, CALLED = 0, 2, 3, 4, 7

# By `exchange`, and by the library in the login and for IPC$.
UNSIGNED = "an answer whose signature is wrong|Server message signature could not be verified"
CHANGED_LOGIN = r"invalid Message Integrity Check \(MIC\)"
# What a server does with a login that does not fit to its negotiation, and with a bad signature.
ENDED = "the connection broke: SMB socket was closed"
DENIED = "may not use this share|may not use the agent's pipe|STATUS_ACCESS_DENIED"


class Host(NamedTuple):
    server: FileServer
    thread: ThreadPoolExecutor

    def ask(self, change: Change) -> None:
        """Log in, open the pipe and call once. Raises: RequestorError."""

        def over_it() -> None:
            with Between(self.server.address, change) as between:
                connection = SmbConnector(CREDENTIALS, port=between.port).connect("127.0.0.1")
                try:
                    connection.call(messages.GetSupportedVersion())
                finally:
                    connection.close()

        self.thread.submit(over_it).result(120)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with open_network(["data"]) as network, network.client.network() as thread:
        yield Host(network.servers[0], thread)


def refused(host: Host, change: Change, why: str) -> None:
    calls = host.server.nas.daemon.calls()
    with pytest.raises(RequestorError, match=why) as caught:
        host.ask(change)
    assert str(caught.value).isprintable()
    assert caught.value.object == "127.0.0.1" or "127.0.0.1" in caught.value.object
    assert len(host.server.nas.daemon.calls()) - len(calls) <= 1


def patched(data: bytes, place: int, form: str, value: int) -> bytes:
    put = struct.pack(form, value)
    return data[:place] + put + data[place + len(put) :]


def test_who_only_listens_is_not_noticed(host: Host) -> None:
    seen = []

    def listen(sender: str, number: int, data: bytes) -> bytes:
        seen.append((sender, number))
        return data

    host.ask(listen)
    assert (FROM_SERVER, CALLED) in seen


@pytest.mark.parametrize("dialect", [0x202, 0x210, 0x300, 0x302])
def test_a_dialect_that_was_taken_away(host: Host, dialect: int) -> None:
    """The server is told that the client has no better one; it would sign with what it knows."""

    def downgrade(sender: str, number: int, data: bytes) -> bytes:
        if (sender, number) == (FROM_CLIENT, NEGOTIATED):
            (count,) = struct.unpack_from("<H", data, 64 + 2)
            for each in range(count):
                place = DIALECTS + 2 * each
                known = struct.unpack_from("<H", data, place)[0]
                data = patched(data, place, "<H", min(known, dialect))
        return data

    refused(host, downgrade, ENDED)


@pytest.mark.parametrize(
    ("sender", "place", "form", "value"),
    [
        (FROM_SERVER, DIALECT, "<H", 0x302),
        (FROM_SERVER, DIALECT, "<H", 0x202),
        (FROM_SERVER, CAPABILITIES, "<I", 0),
        (FROM_CLIENT, SECURITY_MODE, "<H", 1),
    ],
)
def test_a_negotiation_that_was_changed(
    host: Host, sender: str, place: int, form: str, value: int
) -> None:
    def change(who: str, number: int, data: bytes) -> bytes:
        mine = (who, number) == (sender, NEGOTIATED)
        return patched(data, place, form, value) if mine else data

    refused(host, change, UNSIGNED)


@pytest.mark.parametrize("number", range(LOGGED_IN, CALLED + 1))
def test_an_answer_that_was_changed(host: Host, number: int) -> None:
    """A byte of its body; whether the library or `exchange` reads it."""

    def change(who: str, each: int, data: bytes) -> bytes:
        if (who, each) == (FROM_SERVER, number):
            return patched(data, len(data) - 1, "<B", data[-1] ^ 1)
        return data

    refused(host, change, CHANGED_LOGIN if number == LOGGED_IN else UNSIGNED)


@pytest.mark.parametrize("number", range(TREE, CALLED + 1))
def test_a_request_that_was_changed(host: Host, number: int) -> None:
    def change(who: str, each: int, data: bytes) -> bytes:
        if (who, each) == (FROM_CLIENT, number):
            return patched(data, len(data) - 1, "<B", data[-1] ^ 1)
        return data

    refused(host, change, DENIED)


@pytest.mark.parametrize("number", range(TREE, CALLED + 1))
def test_an_answer_without_a_signature_that_looks_like_one_of_the_login(
    host: Host, number: int
) -> None:
    """Those of SESSION_SETUP need not be signed, but this was not asked for."""

    def forge(who: str, each: int, data: bytes) -> bytes:
        if (who, each) == (FROM_SERVER, number):
            data = patched(patched(data, COMMAND, "<H", 1), FLAGS, "<I", 1)
            return data[: SIGNATURE.start] + bytes(16) + data[SIGNATURE.stop :]
        return data

    refused(host, forge, "an answer to another command")


@pytest.mark.parametrize("number", range(TREE, CALLED + 1))
def test_a_request_that_comes_back_as_its_answer(host: Host, number: int) -> None:
    sent = {}

    def reflect(who: str, each: int, data: bytes) -> bytes:
        if who == FROM_CLIENT:
            sent[each] = data
            return data
        return sent[each] if each == number else data

    refused(host, reflect, "a request instead of an answer")


def test_an_answer_that_is_repeated(host: Host) -> None:
    kept = {}

    def repeat(who: str, each: int, data: bytes) -> bytes:
        if who == FROM_SERVER:
            kept[each] = data
            return kept[CALLED - 1] if each == CALLED else data
        return data

    refused(host, repeat, "an answer to another request")


def test_a_forged_answer_about_links_of_dfs(host: Host) -> None:
    """Credentials would go where it leads."""

    def forge(who: str, each: int, data: bytes) -> bytes:
        if (who, each) == (FROM_SERVER, TREE + 1):
            data = patched(patched(data, COMMAND, "<H", 1), FLAGS, "<I", 1)
            data = patched(data, 8, "<I", 0)  # its status
            return data[: SIGNATURE.start] + bytes(80)
        return data

    def over_it() -> None:
        with Between(host.server.address, forge) as between:
            connector = SmbConnector(CREDENTIALS, port=between.port)
            DfsReferrals(connector).ask("127.0.0.1", r"\\127.0.0.1\data\x")

    with pytest.raises(RequestorError, match="another command"):
        host.thread.submit(over_it).result(120)
