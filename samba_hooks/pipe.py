"""The socket behind \\PIPE\\FssagentRpc: <ncalrpc dir>/np/fssagentrpc.

smbd connects there as root. Samba's own samba-dcerpcd binds the same name whenever it
starts and finds rpcd_fsrvp, so the owner of the name can change under us: `PipeWatch`
notices, `PipeListener.retake` puts it right.

    listener = PipeListener(ncalrpc_dir)      # PipeError when the place is not safe
    watch = PipeWatch(listener)
    poll: listener.fileno() readable -> listener.accept()
          watch.fileno() readable    -> if watch.stolen(): listener.retake()
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from typing import Optional

from fsrvpd.errors import FsrvpdError
from samba_hooks.inotify import DirectoryWatch

PIPE_NAME = "fssagentrpc"
_PIPE_DIRECTORY = "np"
_BACKLOG = 128
_UCRED = struct.Struct("3i")  # pid, uid, gid


class PipeError(FsrvpdError):
    """The pipe's socket cannot be bound where Samba wants it."""


class PipeListener:
    """Listens from construction on; there is no moment at which the name leads nowhere.

    Does not ask whether somebody else serves the name: see `occupant`.
    Raises: PipeError.
    """

    def __init__(self, ncalrpc_dir: str) -> None:
        self._ncalrpc_dir = ncalrpc_dir
        self._socket, self._identity = self._bind()

    @property
    def path(self) -> str:
        return os.path.join(self.directory, PIPE_NAME)

    @property
    def directory(self) -> str:
        return os.path.join(self._ncalrpc_dir, _PIPE_DIRECTORY)

    def fileno(self) -> int:
        """Changes with `retake`."""
        return self._socket.fileno()

    def accept(self) -> Optional[socket.socket]:
        """The next connection of smbd's, nonblocking; None when there is none.

        A peer that is not our own user (root) is turned away. Raises: OSError when the
        process is out of descriptors or memory.
        """
        return _accept(self._socket)

    def is_ours(self) -> bool:
        """Whether the name still leads to this listener."""
        try:
            return _identity(os.lstat(self.path)) == self._identity
        except (FileNotFoundError, NotADirectoryError):
            return False

    def retake(self) -> list[socket.socket]:
        """Bind the name anew and return the connections that still waited at the old socket.

        Raises: PipeError; the listener then stays as it was.
        """
        abandoned = self._socket
        self._socket, self._identity = self._bind()
        waiting = list(iter(lambda: _accept(abandoned), None))
        abandoned.close()
        return waiting

    def close(self) -> None:
        """Stop listening; the name goes only if it is still ours."""
        if self.is_ours():
            os.unlink(self.path)
        self._socket.close()

    def _bind(self) -> tuple[socket.socket, tuple[int, int]]:
        directory = -1
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            directory = _open_directory(self._ncalrpc_dir)
            return listener, _bind_in(directory, listener)
        except OSError as error:
            listener.close()
            raise PipeError(f"{self.path}: cannot serve the pipe: {error.strerror}") from error
        except PipeError:
            listener.close()
            raise
        finally:
            if directory >= 0:
                os.close(directory)


class PipeWatch:
    """`fileno()` becomes readable when somebody may have taken the name from `listener`."""

    def __init__(self, listener: PipeListener) -> None:
        self._listener = listener
        self._watch = DirectoryWatch()
        self._watch.add(listener.directory)

    def fileno(self) -> int:
        return self._watch.fileno()

    def stolen(self) -> bool:
        """Whether the name leads elsewhere. Ask again after `retake`: that closes the race
        with a second thief, and watches the directory anew if it was replaced."""
        self._watch.drain()
        try:
            self._watch.add(self._listener.directory)
        except OSError:
            return True
        return not self._listener.is_ours()

    def close(self) -> None:
        self._watch.close()


def occupant(ncalrpc_dir: str) -> Optional[int]:
    """Process id of whoever answers at the pipe's name now; None when nobody does.

    Connects and hangs up at once, which every server of such a socket survives. The id
    is 0 when that process lives in a PID namespace outside ours.
    """
    path = os.path.join(ncalrpc_dir, _PIPE_DIRECTORY, PIPE_NAME)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:  # its queue is full: alive, but who it is remains unknown
            return 0
        except OSError:
            return None
        return _peer(probe)[0]


def _accept(listener: socket.socket) -> Optional[socket.socket]:
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return None
        except ConnectionAbortedError:
            continue
        if _peer(connection)[1] == os.geteuid():
            connection.setblocking(False)
            return connection
        connection.close()


def _peer(connection: socket.socket) -> tuple[int, int]:
    """(pid, uid) of the process at the other end."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(raw)
    return pid, uid


def _open_directory(ncalrpc_dir: str) -> int:
    """A descriptor of np/, made as Samba makes it: 0700 and root's. Whoever comes first,
    smbd or we, makes it. Raises: OSError, PipeError."""
    if not os.path.isdir(ncalrpc_dir):
        os.makedirs(ncalrpc_dir, exist_ok=True)
        os.chmod(ncalrpc_dir, 0o755)  # noqa: S103 - as Samba: local RPC is for every user
    parent = os.open(ncalrpc_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(_PIPE_DIRECTORY, 0o700, dir_fd=parent)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        directory = os.open(_PIPE_DIRECTORY, flags, dir_fd=parent)
    finally:
        os.close(parent)
    facts = os.fstat(directory)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        os.close(directory)
        raise PipeError(
            f"{os.path.join(ncalrpc_dir, _PIPE_DIRECTORY)}: owned by uid {facts.st_uid} with mode "
            f"{stat.S_IMODE(facts.st_mode):04o}; Samba wants root and 0700: "
            f"stop smbd, remove the directory, start smbd"
        )
    return directory


def _bind_in(directory: int, listener: socket.socket) -> tuple[int, int]:
    """Bind under a name of our own and rename it into place once it listens.

    The path through /proc keeps within the 107 bytes of a socket address wherever
    Samba's directories lie. smbd connects as root, so nobody else needs the socket.
    """
    temporary = f".{PIPE_NAME}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    listener.setblocking(False)
    listener.bind(f"/proc/self/fd/{directory}/{temporary}")
    try:
        os.chmod(temporary, 0o600, dir_fd=directory)
        listener.listen(_BACKLOG)
        facts = os.stat(temporary, dir_fd=directory, follow_symlinks=False)
        os.rename(temporary, PIPE_NAME, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(temporary, dir_fd=directory)
        raise
    return _identity(facts)


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino
