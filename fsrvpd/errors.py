"""Every failure fsrvpd raises: one root, three families.

The peer's fault carries the result that the peer is told. The provider's fault carries
what the storage said. Ours carries a sentence for the log. `protocol.hresult` turns any
of them into the result of a call; nothing else does.
"""

from __future__ import annotations

import errno
from typing import Optional, Sequence

_OUT_OF_REACH = (errno.ESHUTDOWN, errno.ENOTCONN, errno.ESTALE, errno.EIO)


class FsrvpdError(Exception):
    """Root of all of them; its text is fit for a log line and for an admin."""


class PeerError(FsrvpdError):
    """The call cannot be granted; `result` is the HRESULT that says so."""

    def __init__(self, result: int, reason: str) -> None:
        super().__init__(reason)
        self.result = result


class StorageError(FsrvpdError):
    """A provider could not do what it was asked.

    `object` is the path or share concerned, `error_number` the errno where there is one
    (0 where there is none), `argv`, `exit_status` and `stderr` those of a command that ran.
    """

    def __init__(
        self,
        object: str,
        cause: str,
        *,
        error_number: int = 0,
        argv: Sequence[str] = (),
        exit_status: Optional[int] = None,
        stderr: str = "",
    ) -> None:
        super().__init__(f"{object}: {cause}")
        self.object = object
        self.error_number = error_number
        self.argv = tuple(argv)
        self.exit_status = exit_status
        self.stderr = stderr

    @property
    def out_of_space(self) -> bool:
        return self.error_number in (errno.ENOSPC, errno.EDQUOT)

    @property
    def out_of_reach(self) -> bool:
        """Whether the volume does not serve this machine now: its client was evicted, its server
        or its disk is gone. What is on it is there all the same."""
        return self.error_number in _OUT_OF_REACH


class TookTooLong(StorageError):
    """A snapshot that does not come at once did not come within its time."""


class NotOurs(StorageError):
    """Refused to touch something on disk that does not have fsrvpd's marker."""


class ConfigError(FsrvpdError):
    """smb.conf, or a command line, asks for something that cannot be done."""


class RegistryError(FsrvpdError):
    """Samba's registry, or the worker that speaks to it, failed."""


class StoreError(FsrvpdError):
    """The durable state cannot be read or written."""


class StoreBusy(StoreError):
    """Somebody has it locked for a moment."""


class Superseded(StoreError):
    """Another agent of the cluster writes now: what this one has in memory counts no more."""


class AuthenticationError(FsrvpdError):
    """Somebody did not prove who they are. The text is for the log: the peer is told
    only that it failed."""


class WrongPassword(AuthenticationError):
    """The account is known, and the proof was not made with its password."""
