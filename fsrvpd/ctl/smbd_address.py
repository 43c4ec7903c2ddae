"""At which address this server's own smbd is reached from the server itself."""

from __future__ import annotations

import os
from typing import Iterator, Optional

SOCKETS = "/proc/net/tcp"
SMB_PORT = 445
ANYWHERE = "0.0.0.0"  # noqa: S104 - to be recognised, not bound
LOOPBACK = "127.0.0.1"
PID_FILE = "smbd.pid"
_LISTENING = "0A"
_LOCAL, _STATE, _INODE = 1, 3, 9  # columns of SOCKETS: proc(5)


def server_address(pid_directory: str) -> str:
    """With `bind interfaces only` that is not always the loopback, and at the same port of
    another address another server may listen."""
    pid = running_pid(os.path.join(pid_directory, PID_FILE))
    inodes = frozenset(_sockets(pid)) if pid else frozenset()
    found = [_address(row[_LOCAL]) for row in _listening() if row[_INODE] in inodes]
    return LOOPBACK if not found or ANYWHERE in found else found[0]


def running_pid(path: str) -> Optional[int]:
    """The process that a pid file names, None when it is gone."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read().strip())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def _sockets(pid: int) -> Iterator[str]:
    """The inodes of the sockets that a process holds."""
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            kind, _, rest = os.readlink(os.path.join(folder, name)).partition(":[")
        except OSError:  # closed in the meantime
            continue
        if kind == "socket":
            yield rest.rstrip("]")


def _listening() -> Iterator[list[str]]:
    """The kernel's rows for IPv4 sockets that listen at SMB's port."""
    with open(SOCKETS, encoding="ascii") as file:
        for line in file.readlines()[1:]:
            row = line.split()
            if row[_STATE] == _LISTENING and int(row[_LOCAL].rpartition(":")[2], 16) == SMB_PORT:
                yield row


def _address(local: str) -> str:
    """From the kernel's spelling, the bytes of the machine's own order."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(local.partition(":")[0])))
