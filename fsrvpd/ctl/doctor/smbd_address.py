"""Where this server reaches its own smbd: an address and a port at which smbd listens."""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Iterator, NamedTuple, Optional

SOCKETS = ("/proc/net/tcp", "/proc/net/tcp6")
SMB_PORT, NETBIOS_PORT = 445, 139
PID_FILE = "smbd.pid"
_LISTENING = "0A"
_LOCAL, _STATE, _INODE = 1, 3, 9  # columns of SOCKETS: proc(5)
_WORD = 8  # hexadecimal digits of 32 bits


class SmbdAddress(NamedTuple):
    host: str
    port: int

    @property
    def options(self) -> tuple[str, ...]:
        """Of smbclient."""
        return () if self.port == SMB_PORT else ("-p", str(self.port))


LOOPBACK = SmbdAddress("127.0.0.1", SMB_PORT)


def server_address(pid_directory: str) -> SmbdAddress:
    """The loopback address and port 445 if smbd listens there, else what comes next to that
    (`bind interfaces only`, `smb ports`). Sockets of other processes do not count: another server
    may listen at the same port of another address."""
    pid = running_pid(os.path.join(pid_directory, PID_FILE))
    inodes = frozenset(_sockets(pid)) if pid else frozenset()
    found = [_address(row[_LOCAL]) for row in _listening() if row[_INODE] in inodes]
    return min(found, key=_rank, default=LOOPBACK)


def _rank(address: SmbdAddress) -> tuple[bool, bool, bool, bool, int]:
    """The least is the best. At the port of NetBIOS clients must know smbd by a name."""
    host = ipaddress.ip_address(address.host)
    return (
        address.port == NETBIOS_PORT,
        host.is_link_local,
        address.port != SMB_PORT,
        not host.is_loopback,
        host.version,
    )


def running_pid(path: str) -> Optional[int]:
    """The process that a pid file names, None when it has ended."""
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
    """The kernel's rows for sockets that listen."""
    for table in SOCKETS:
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:  # a kernel without that address family
            continue
        yield from (row for row in rows if row[_STATE] == _LISTENING)


def _address(local: str) -> SmbdAddress:
    """From the kernel's hexadecimal: each 32 bits of the address in the machine's byte order. To
    the unspecified address, this host is reached by its loopback address."""
    digits, _, port = local.partition(":")
    words = [int(digits[at : at + _WORD], 16) for at in range(0, len(digits), _WORD)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    host = ipaddress.ip_address(packed)
    if host.is_unspecified:
        host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")
    return SmbdAddress(str(host), int(port, 16))
