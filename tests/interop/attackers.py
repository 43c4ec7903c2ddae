"""Clients that hold connections and do nothing useful with them, or ask too much.

Each is a context manager: what it opened is closed at its end.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Iterator, Sequence, Union

from impacket.nmb import NetBIOSTimeout
from impacket.smbconnection import SessionError, SMBConnection

from lab import Lab, User
from tests.interop.raw_agent import Place

ANONYMOUS = User("", "")
OPEN_TIMEOUT = 5  # s for the answer to one open
# Connects as a user, sends something on each connection, tells how many there are, and waits.
HOLD = """
import os, resource, socket, sys, time
family, address, number, sent, uid = sys.argv[1:6]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(number) + 64,) * 2)
os.setgroups([int(group) for group in sys.argv[6:]])
if int(uid):
    os.setgid(int(uid))
    os.setuid(int(uid))
held, end = [], time.monotonic() + 10
while len(held) < int(number) and time.monotonic() < end:
    one = socket.socket(getattr(socket, family), socket.SOCK_STREAM)
    one.settimeout(0.2)
    try:
        one.connect(("127.0.0.1", int(address)) if family == "AF_INET" else address)
        one.sendall(bytes.fromhex(sent.strip("-")))
    except OSError:
        one.close()
        continue
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
"""


def addresses(lab: Lab, number: int) -> list[str]:
    """Add addresses to the server. A client that connects to one has the same address itself."""
    added = [f"10.{n + 10}.0.1" for n in range(number)]
    for address in added:
        lab.run(["ip", "address", "replace", f"{address}/24", "dev", "lo"])
    return added


@contextlib.contextmanager
def pipes(
    place: Place, number: int, user: User = ANONYMOUS, servers: Sequence[str] = ()
) -> Iterator[int]:
    """Open `number` pipes in one SMB session with each address of the server, and leave them.

    Yields how many were opened: smbd (4.17) does not report that the server behind a pipe
    refused the client, who finds out when it uses the pipe.
    """
    where = list(servers) or [place.samba.address]
    with contextlib.ExitStack() as stack:
        threads = [stack.enter_context(place.lab.network()) for _ in where]
        pending = [
            thread.submit(_open, server, number, user) for thread, server in zip(threads, where)
        ]
        opened = [each.result(120) for each in pending]
        try:
            yield sum(count for _, count in opened)
        finally:
            for thread, (connection, _) in zip(threads, opened):
                thread.submit(connection.getSMBServer().get_socket().close).result()


def _open(server: str, number: int, user: User) -> tuple[SMBConnection, int]:
    connection = SMBConnection("LAB", server)
    connection.login(*user)
    if connection.isGuestSession():
        # Samba does not sign for a guest, and impacket does not notice by itself.
        connection.getSMBServer()._Session["SigningActivated"] = False
    tree = connection.connectTree("IPC$")
    connection.setTimeout(OPEN_TIMEOUT)
    for count in range(number):
        try:
            connection.openFile(tree, "FssagentRpc")
        except (SessionError, NetBIOSTimeout, OSError):
            return connection, count
    return connection, number


@contextlib.contextmanager
def connections(
    lab: Lab,
    target: Union[int, Path],
    number: int,
    *,
    uid: int = 0,
    groups: Sequence[int] = (),
    sent: bytes = b"",
) -> Iterator[int]:
    """Hold `number` connections to a port of the loopback address or to a Unix socket.

    They are of user `uid` and send `sent`. Yields how many could be made.
    """
    family = "AF_INET" if isinstance(target, int) else "AF_UNIX"
    argv = [sys.executable, "-c", HOLD, family, str(target), str(number), sent.hex() or "-"]
    holder = lab.converse([*argv, str(uid), *map(str, groups)])
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        yield int(holder.stdout.readline())
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
