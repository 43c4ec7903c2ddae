"""What a client or a user chooses begins no line of the log, and every request is answered."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import Any, Iterator

import pytest

from fsrvpd import unix_socket
from fsrvpd.core.messages import Opnum
from fsrvpd.ctl.client import ask
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.samba_command_line import SNAP_SOCKET
from lab import Share
from lab.frozen import frozen
from lab.namespaces import wait_until
from tests.interop.nas import Nas
from tests.interop.raw_agent import TIMEOUT, RawAgent, wide

RECORD = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+: |    )[^\x00-\x1f\x7f-\x9f]*"
)
FORGED = "2026-01-01 00:00:00,000 NOTICE fsrvpd: event=set-removed\x1b[2J\u202e\u2028"
NAME = f"a\n{FORGED}"
FILES = 20000
MAKE = """
import os, sys
os.makedirs(sys.argv[1])
for number in range(int(sys.argv[2])):
    os.close(os.open(f"{sys.argv[1]}/{number}", os.O_CREAT | os.O_WRONLY))
"""


@pytest.fixture(params=["control", "snap"])
def path(request: pytest.FixtureRequest, nas: Nas) -> str:
    return socket_path(nas, request.param)


def socket_path(nas: Nas, which: str) -> str:
    if which == "snap":
        return str(nas.lab.seen(nas.samba.place("pid directory") / SNAP_SOCKET))
    return str(nas.lab.seen(nas.samba.place("state directory") / "fsrvpd" / "control.socket"))


@pytest.fixture(autouse=True)
def log_is_whole(nas: Nas) -> Iterator[None]:
    """Every line of the log is a record or a line of a traceback."""
    yield
    for line in nas.daemon.read_log().splitlines():
        assert RECORD.fullmatch(line), line


def answer(path: str, request: bytes, *, piece: int = 1 << 20) -> Any:
    """Send a request in pieces and return the reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        unix_socket.connect(client, path)
        try:
            for start in range(0, len(request), piece):
                client.sendall(request[start : start + piece])
        except BrokenPipeError:
            pass  # refused before it was read to its end
        received = b"".join(iter(lambda: _received(client), b""))
    return json.loads(received)


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionResetError:  # closed with a part of the request unread
        return b""


HOSTILE = {
    "brackets": b"[" * 60000,
    "braces": b'{"a":' * 10000,
    "nothing": b"",
    "no JSON": b"\xff\xfe\0",
    "no object": b"[1, 2]",
    "no list": b'{"message": "ping", "parameters": 7}',
    "a list as name": b'{"message": ["ping"], "parameters": []}',
    "a long number": b'{"message": "ping", "parameters": [' + b"7" * 60000 + b"]}",
    "a forged name": json.dumps({"message": NAME, "parameters": [NAME]}).encode(),
    "deep parameters": b'{"message": "check", "parameters": [' + b"[" * 900 + b"]" * 900 + b"]}",
}


@pytest.mark.parametrize("request_line", HOSTILE.values(), ids=HOSTILE)
def test_a_request_that_is_none_is_answered(path: str, request_line: bytes) -> None:
    reply = answer(path, request_line + b"\n")
    assert reply["ok"] is False
    assert reply["error"]


def test_a_request_that_is_too_long_is_refused_before_its_end(path: str) -> None:
    reply = answer(path, b"[" * 200_000)
    assert reply == {"ok": False, "error": "a request of more than 65536 bytes"}


def test_a_request_in_pieces_is_answered(nas: Nas) -> None:
    request = b'{"message": "ping", "parameters": []}\n'
    assert answer(socket_path(nas, "control"), request, piece=1)["ok"] is True


def test_a_path_from_samba_begins_no_line(nas: Nas) -> None:
    with pytest.raises(FsrvpdError, match="is not the path") as refused:
        ask(socket_path(nas, "snap"), "check", [NAME])
    assert NAME in str(refused.value), "JSON is exact"
    assert "event=shell-snap-refused" in nas.daemon.read_log()


def test_a_share_name_begins_no_line(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        assert agent.result(Opnum.IsPathSupported, wide(agent.unc(NAME))) != 0
        log = nas.daemon.read_log()
    assert "method=IsPathSupported" in log
    shown = nas.daemon.ctl("check-path", NAME, check=False).stderr
    assert "\x1b" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("2026")]


def test_a_directory_begins_no_line(nas: Nas) -> None:
    """The clone is interrupted in a directory with such a name, when its time is over."""
    folder = nas.volumes["vault"] / "vault"
    make = ["/usr/bin/python3", "-c", MAKE, f"{folder}/{NAME}", str(FILES)]
    nas.lab.run(make)
    nas.samba.set_share(Share("vault", folder, {"fsrvp:clone time limit": "4"}))
    nas.samba.reload()
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, "vault")
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.begin(Opnum.CommitShadowCopySet, set_id + TIMEOUT.to_bytes(4, "little"))
        wait_until("the clone has begun", lambda: bool(nas.snapshots()))
        with frozen(nas.lab, nas.volumes["vault"]):
            time.sleep(4.2)
        assert int.from_bytes(agent.answer()[-4:], "little") == HResult.FSSAGENT_E_TIMEOUT
        assert "event=snapshot-too-slow" in nas.daemon.read_log()
        agent.must(Opnum.AbortShadowCopySet, set_id)
    nas.assert_nothing_is_left()
