"""The socket behind \\PIPE\\FssagentRpc: <ncalrpc dir>/np/fssagentrpc.

smbd connects there as root. samba-dcerpcd binds the same name whenever it starts and finds
rpcd_fsrvp, so another process can take the name at any time: `PipeWatch` notices it, and
`PipeListener.retake` takes the name back.

    listener = PipeListener(ncalrpc_dir)      # PipeError if the directory is not safe
    watch = PipeWatch(listener)
    poll: listener.fileno() readable -> listener.accept()
          watch.fileno() readable    -> if watch.hijacked(): listener.retake()
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import Optional

from fsrvpd import unix_socket
from fsrvpd.errors import FsrvpdError
from samba_hooks.pipe.directory_watch import DirectoryWatch

PIPE_NAME = "fssagentrpc"
_PIPE_DIRECTORY = "np"
_BACKLOG = 128


class PipeError(FsrvpdError):
    """The pipe's socket cannot be bound at the path that Samba uses."""


class PipeListener:
    """Listens from construction on; the name always leads to a listening socket.

    It does not check whether another process serves the name: see `occupant`.
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
        """The next connection of smbd, nonblocking; None if there is none.

        A peer of another user than ours (root) is rejected. Raises: OSError if the process is
        out of descriptors or memory.
        """
        return _accept(self._socket)

    def is_ours(self) -> bool:
        """Whether the name still leads to this listener."""
        try:
            return _identity(os.lstat(self.path)) == self._identity
        except (FileNotFoundError, NotADirectoryError):
            return False

    def retake(self) -> list[socket.socket]:
        """Bind the name again and return the connections that still waited at the old socket.

        Raises: PipeError; then nothing has changed.
        """
        abandoned = self._socket
        self._socket, self._identity = self._bind()
        waiting: list[socket.socket] = []
        with contextlib.suppress(OSError), abandoned:  # out of descriptors: smbd's clients retry
            waiting += iter(lambda: _accept(abandoned), None)
        return waiting

    def close(self) -> None:
        """Stop listening; the name is removed only if it still leads here."""
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
    """`fileno()` becomes readable when another process may have taken the name."""

    def __init__(self, listener: PipeListener) -> None:
        self._listener = listener
        self._watch = DirectoryWatch()
        self._watch.add(listener.directory)

    def fileno(self) -> int:
        return self._watch.fileno()

    def hijacked(self) -> bool:
        """Whether the name leads elsewhere. Call it again after `retake`: that closes the race
        with another process, and watches the new directory if it was replaced."""
        self._watch.drain()
        try:
            self._watch.add(self._listener.directory)
        except OSError:
            return True
        return not self._listener.is_ours()

    def close(self) -> None:
        self._watch.close()


def occupant(ncalrpc_dir: str) -> Optional[int]:
    """Process id of the process that listens at the pipe's name; None if there is none.

    Connects and closes the connection at once, which is harmless to every server. The id is 0
    if the process is in another PID namespace or cannot be determined.
    """
    path = os.path.join(ncalrpc_dir, _PIPE_DIRECTORY, PIPE_NAME)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:  # its queue is full: it is alive, but unknown
            return 0
        except OSError:
            return None
        return unix_socket.peer_credentials(probe).pid


def _accept(listener: socket.socket) -> Optional[socket.socket]:
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return None
        except ConnectionAbortedError:
            continue
        if unix_socket.peer_credentials(connection).uid == os.geteuid():
            connection.setblocking(False)
            return connection
        connection.close()


def _open_directory(ncalrpc_dir: str) -> int:
    """A descriptor of np/, created as Samba creates it, mode 0700 and owned by root, if it does
    not exist yet. Raises: OSError, PipeError."""
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
            f"{os.path.join(ncalrpc_dir, _PIPE_DIRECTORY)} is owned by uid {facts.st_uid}, mode"
            f" {stat.S_IMODE(facts.st_mode):04o}; Samba expects root and 0700. Stop smbd, remove"
            " the directory, start smbd"
        )
    return directory


def _bind_in(directory: int, listener: socket.socket) -> tuple[int, int]:
    """Bind to a temporary name and rename it when the socket listens.

    smbd connects as root, so nobody else needs the socket.
    """
    temporary = f".{PIPE_NAME}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    listener.setblocking(False)
    listener.bind(unix_socket.address(directory, temporary))
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
