"""A file on a share that a client keeps open, over impacket."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Callable, Optional, Type, TypeVar

from impacket.smbconnection import SessionError, SMBConnection

from lab import User
from lab.accounts import ROOT
from tests.interop.nas import Nas

Result = TypeVar("Result")
OPEN_OR_CREATE = 3  # CreateDisposition FILE_OPEN_IF


class HeldFile:
    """A file that is open for reading and writing until `close`, unless smbd closes it."""

    def __init__(self, nas: Nas, share: str, name: str, user: User = ROOT) -> None:
        self._address = nas.samba.address
        self._thread: ThreadPoolExecutor = nas.lab.network()
        self._there(lambda: self._open(share, name, user))

    def __enter__(self) -> HeldFile:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._there(self._close)
        self._thread.shutdown()

    def write(self, text: str) -> None:
        """Write at the beginning of the file. Raises: SessionError."""
        data = text.encode()
        self._there(lambda: self._connection.writeFile(self._tree, self._file, data))

    def read(self) -> str:
        """Raises: SessionError."""
        content: bytes = self._there(lambda: self._connection.readFile(self._tree, self._file))
        return content.decode()

    def _open(self, share: str, name: str, user: User) -> None:
        self._connection: Any = SMBConnection(self._address, self._address)
        self._connection.login(user.name, user.password)
        self._tree: Any = self._connection.connectTree(share)
        self._file: Any = self._connection.openFile(
            self._tree, name, creationDisposition=OPEN_OR_CREATE
        )

    def _close(self) -> None:
        with suppress(SessionError):  # smbd may have closed it already
            self._connection.closeFile(self._tree, self._file)
        self._connection.close()

    def _there(self, function: Callable[[], Result]) -> Result:
        return self._thread.submit(function).result(60)
