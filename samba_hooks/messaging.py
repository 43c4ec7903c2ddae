"""Samba's message bus, through which the unchanged `smbcontrol fsrvpd …` reaches the daemon.

Every process of Samba has a datagram socket `msg.sock/<pid>` below `private dir` (below `lock
directory` as Debian builds Samba) and a locked file `<lock directory>/msg.lock/<pid>` that holds
a random number. The lock shows that the process is alive: Samba removes files that are not
locked. The number distinguishes it from a later process with the same id. A datagram is a 64-bit
cookie, zero if the message is complete, followed by the message: destination, source (a
server_id of 24 bytes each), type, data. Everything is little-endian except the cookie, which is
in the machine's byte order. The same from Samba 4.13 to 4.24; see MESSAGES in smbcontrol(1).

This does not use libsmbconf, because smbcontrol sends to the process in the pid file, and another
process has to load Samba's library (`samba_hooks.registry.worker`).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import stat
import struct
from enum import IntEnum
from typing import NamedTuple, Optional

from fsrvpd.errors import ConfigError

logger = logging.getLogger("samba_hooks.messaging")

_COOKIE = struct.Struct("=Q")
_SERVER_ID = struct.Struct("<QIIQ")  # pid, task, virtual node number, unique id
_KIND = struct.Struct("<I")
_HEADER_SIZE = 2 * _SERVER_ID.size + _KIND.size
_DATAGRAM = 1024  # bytes; a longer message is sent in pieces
_WHOLE = 0
_UNVERIFIED = 0xFFFFFFFFFFFFFFFF  # no process has this unique id


class Kind(IntEnum):
    """The types that fsrvpd handles, as librpc/idl/messaging.idl numbers them."""

    DEBUG = 0x0001
    PING = 0x0002
    PONG = 0x0003
    REQ_DEBUGLEVEL = 0x0005
    DEBUGLEVEL = 0x0006
    SHUTDOWN = 0x000D
    CONF_UPDATED = 0x0021


_KINDS = frozenset(Kind)


class ServerId(NamedTuple):
    pid: int
    task: int
    node: int
    unique: int


class Message(NamedTuple):
    kind: Kind
    source: ServerId
    destination: ServerId
    data: bytes

    @property
    def text(self) -> str:
        return self.data.partition(b"\0")[0].decode("utf-8", "replace")


def encode(message: Message) -> bytes:
    """The datagram of a message that is short enough for one."""
    ids = _SERVER_ID.pack(*message.destination) + _SERVER_ID.pack(*message.source)
    return _COOKIE.pack(_WHOLE) + ids + _KIND.pack(message.kind) + message.data


def decode(datagram: bytes) -> Optional[Message]:
    """None if it is malformed, in pieces, or of a type that fsrvpd does not handle."""
    start = _COOKIE.size + _HEADER_SIZE
    if len(datagram) < start or _COOKIE.unpack_from(datagram)[0] != _WHOLE:
        return None
    destination = ServerId(*_SERVER_ID.unpack_from(datagram, _COOKIE.size))
    source = ServerId(*_SERVER_ID.unpack_from(datagram, _COOKIE.size + _SERVER_ID.size))
    (kind,) = _KIND.unpack_from(datagram, start - _KIND.size)
    if kind not in _KINDS:
        return None
    return Message(Kind(kind), source, destination, datagram[start:])


class MessageBus:
    """This process on Samba's bus. The mode of the directories lets only root reach it.

    Which directory Samba uses depends on its build: there is a mailbox in each directory that
    Samba has created, and in both if it has created neither.
    """

    def __init__(self, private_dir: str, lock_directory: str) -> None:
        """Raises: ConfigError if the bus cannot be joined."""
        locks = _directory(os.path.join(lock_directory, "msg.lock"), 0o755)
        self._lock_path = os.path.join(locks, str(os.getpid()))
        self._unique = secrets.randbelow(_UNVERIFIED)
        self._lock = _lock(self._lock_path, self._unique)
        places = [os.path.join(parent, "msg.sock") for parent in (lock_directory, private_dir)]
        made = [place for place in places if os.path.isdir(place)]
        self.mailboxes: list[Mailbox] = []
        try:
            for place in dict.fromkeys(made or places):
                self.mailboxes.append(Mailbox(_directory(place, 0o700), self._unique))
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        for mailbox in self.mailboxes:
            mailbox.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._lock_path)
        os.close(self._lock)


class Mailbox:
    """The socket in one directory at which this process receives messages."""

    def __init__(self, directory: str, unique: int) -> None:
        self._directory = directory
        self._unique = unique
        self._path = os.path.join(directory, str(os.getpid()))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        try:
            self._socket.bind(self._path)
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"{self._path} cannot be bound: {error}") from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Optional[Message]:
        """The next message; None if there is none, or none that `decode` takes."""
        try:
            datagram = self._socket.recv(_DATAGRAM)  # descriptors sent along are dropped
        except BlockingIOError:
            return None
        return decode(datagram)

    def reply(self, to: Message, kind: Kind, data: bytes = b"") -> None:
        """Answer the sender of `to`, if it still exists and listens."""
        source = to.destination._replace(pid=os.getpid(), unique=self._unique)
        answer = encode(Message(kind, source, to.source, data))
        address = os.path.join(self._directory, str(to.source.pid))
        try:
            self._socket.sendto(answer, address)
        except OSError as error:
            logger.info("process %d could not be answered: %s", to.source.pid, error)

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def _directory(path: str, mode: int) -> str:
    """Created as Samba's daemons create it, if it does not exist."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
            os.chmod(path, mode)  # independent of the umask: Samba requires exactly this
        found = os.lstat(path)
    except OSError as error:
        raise ConfigError(f"Samba's message bus cannot be joined: {path}: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError(f"{path} is not a directory of this user; Samba would refuse it, too")
    return path


def _lock(path: str, unique: int) -> int:
    """The descriptor that holds the lock. The file must be opened only once: closing any
    descriptor of it would release the lock."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, b"%d\n" % unique)
    except OSError as error:
        raise ConfigError(f"{path} cannot be locked: {error}") from error
    return lock
