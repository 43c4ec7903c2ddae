"""Unix sockets: paths of any length, and who is at the other end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import NamedTuple

_UCRED = struct.Struct("3i")  # pid, uid, gid
_SO_PEERGROUPS = 59  # Linux 4.13; Python has no name for it
_MAX_GROUPS = 256  # Python's getsockopt takes no more
_TIMEVAL = struct.Struct("ll")


class Credentials(NamedTuple):
    """`pid` is 0 for a process in another PID namespace."""

    pid: int
    uid: int
    gid: int


def peer_credentials(connection: socket.socket) -> Credentials:
    """The process that connected or listens, from the kernel (SO_PEERCRED, socket(7))."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Credentials._make(_UCRED.unpack(raw))


def peer_groups(connection: socket.socket) -> tuple[int, ...]:
    """The supplementary groups of the process that connected; empty when it has more than
    _MAX_GROUPS."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS * 4)
    except OSError:
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


def address(directory: int, name: str) -> str:
    """A name below an open directory, short enough for a socket address, which holds 107
    bytes, wherever the directory lies."""
    return f"/proc/self/fd/{directory}/{name}"


def connect(connection: socket.socket, path: str) -> None:
    """Connect, and wait for it as long as the socket's time-out allows: a nonblocking one would
    fail at once while others wait to be accepted. Raises: OSError."""
    timeout = connection.gettimeout()
    folder, name = os.path.split(path)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.settimeout(None)
        wait = _TIMEVAL.pack(*divmod(int((timeout or 0) * 1_000_000), 1_000_000))  # 0: for ever
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        connection.connect(address(directory, name))
    finally:
        os.close(directory)
        connection.settimeout(timeout)


def bind(path: str) -> socket.socket:
    """A nonblocking socket with this path; an existing file is replaced. Raises: OSError."""
    folder, name = os.path.split(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            bound.bind(address(directory, name))
        finally:
            os.close(directory)
    except OSError:
        bound.close()
        raise
    return bound
