"""What the checks need of a server besides its agent: a login, and a look at a share."""

from __future__ import annotations

from typing import Protocol

from fsrvpd.requestor.smb.records import LoggedIn, Trial


class Server(LoggedIn, Protocol):
    """A server that let the account in. It is used by one thread, and closed."""

    @property
    def account(self) -> str: ...

    @property
    def dialect(self) -> str:
        """Such as 3.1.1."""

    @property
    def is_encrypted(self) -> bool: ...

    def try_to_read(self, share: str, path: str) -> Trial:
        """List some directories at `path` of a share and below, and open some files.

        Raises: AccessRefused if not even `path` can be listed; RequestorError, Disconnected.
        """

    def close(self) -> None: ...


class Servers(Protocol):
    def log_in(self, host: str) -> Server:
        """Raises: AccessRefused, Disconnected, RequestorError."""
