"""What SMB tells besides the pipe of an agent, as plain records: who logged in, links of DFS, and
what can be read.
"""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Optional, Protocol, Tuple


class LoggedIn(Protocol):
    """What the login to a server has shown of its names; an `AgentConnection` is one."""

    @property
    def host(self) -> str:
        """As it was contacted."""

    @property
    def proved_names(self) -> FrozenSet[str]:
        """In the form of `normal_host`."""

    @property
    def uses_kerberos(self) -> bool: ...


class Proof(NamedTuple):
    """A `LoggedIn` of a server whose agent is not asked."""

    host: str
    proved_names: FrozenSet[str]
    uses_kerberos: bool


class Referral(NamedTuple):
    r"""A server's answer about a path of DFS: `\\server\share\path` of each target, as the server
    wrote it, and what of the path lies below a target, without a backslash at either end.
    `is_root`: a target holds the namespace, not the data of one of its links."""

    targets: Tuple[str, ...]
    rest: str
    is_root: bool
    proof: LoggedIn


class Space(NamedTuple):
    """In bytes, as the server says; `free` is what the account may still use."""

    total: int
    free: int


class Trial(NamedTuple):
    """`refused` are paths below the share that could not be listed or opened; they count among
    the tried ones. `complete`: there was nothing else to try."""

    directories: int
    files: int
    refused: Tuple[str, ...]
    space: Optional[Space]
    complete: bool
