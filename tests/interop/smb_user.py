"""An SMB client over pysmb, which shares no code with Samba."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Any, Callable, Optional, Type, TypeVar

from smb.smb_structs import OperationFailure
from smb.SMBConnection import SMBConnection

from lab import User
from tests.interop.nas import Nas

Result = TypeVar("Result")
ERRORS = 0xC0000000  # the severity bits of an NTSTATUS that is an error
ACCESS_DENIED = 0xC0000022
BAD_NETWORK_NAME = 0xC00000CC
OBJECT_NAME_NOT_FOUND = 0xC0000034
MEDIA_WRITE_PROTECTED = 0xC00000A2


class SmbUser:
    """A session as `user`, from inside the lab's network."""

    def __init__(self, nas: Nas, user: User, address: str = "") -> None:
        self._thread: ThreadPoolExecutor = nas.lab.network()
        address = address or nas.samba.address
        self._client: Any = SMBConnection(*user, "client", "LAB", is_direct_tcp=True)
        assert self._there(lambda: self._client.connect(address, 445))

    def __enter__(self) -> SmbUser:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._there(self._client.close)
        self._thread.shutdown()

    def read(self, share: str, path: str) -> str:
        content = io.BytesIO()
        self._there(lambda: self._client.retrieveFile(share, path, content))
        return content.getvalue().decode()

    def write(self, share: str, path: str, text: str) -> None:
        self._there(lambda: self._client.storeFile(share, path, io.BytesIO(text.encode())))

    def rename(self, share: str, old: str, new: str) -> None:
        self._there(lambda: self._client.rename(share, old, new))

    def names(self, share: str, path: str = "/") -> set[str]:
        listed = self._there(lambda: self._client.listPath(share, path))
        return {entry.filename for entry in listed} - {".", ".."}

    def versions(self, share: str, path: str) -> list[datetime]:
        """List the previous versions that a client is offered."""
        listed: list[datetime] = self._there(lambda: self._client.listSnapshots(share, path))
        return listed

    def _there(self, function: Callable[[], Result]) -> Result:
        return self._thread.submit(function).result(60)


def status_of(attempt: Callable[[], object]) -> int:
    """Return 0, or the NTSTATUS with which smbd refuses an attempt."""
    try:
        attempt()
    except OperationFailure as failed:
        return next(int(each.status) for each in failed.smb_messages if each.status >= ERRORS)
    return 0


def refusal(attempt: Callable[[], object]) -> int:
    """Return the NTSTATUS of an attempt that must fail."""
    status = status_of(attempt)
    assert status, "this was not refused"
    return status
