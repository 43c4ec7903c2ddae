"""What the requestor's packages require of one another, and the plain records that they exchange.

`smb` fulfils `Connector` and `AgentConnection`, `state` fulfils `SetStore`, `names` fulfils
`Resolver`; `sets` uses them, and knows no other package's insides.

Spec: MS-FSRVP 3.2.1 (the client's data model).
"""

from __future__ import annotations

from enum import Enum
from types import TracebackType
from typing import FrozenSet, Iterable, NamedTuple, Optional, Protocol, Sequence, Tuple, Type

from fsrvpd.core import messages
from fsrvpd.core.messages import Guid

CALL_TIMEOUT = 180.0  # seconds for each method: MS-FSRVP 3.2.2


class AgentConnection(Protocol):
    """One SMB session and one bound pipe of one server, used by one thread at a time."""

    @property
    def host(self) -> str:
        """As it was contacted."""

    @property
    def proved_names(self) -> FrozenSet[str]:
        """Each name that the server proved to have at login, in the form of `normal_host`."""

    @property
    def uses_kerberos(self) -> bool:
        """Whether the server proved its name with a Kerberos ticket."""

    def call(self, request: messages.Request, timeout: float = CALL_TIMEOUT) -> messages.Response:
        """The response, also when its result is not 0. `timeout` is in seconds.

        Raises: Disconnected, after which the connection is closed; AccessRefused for a fault that
        says so; RequestorError for any other fault.
        """

    def has_share(self, name: str) -> bool:
        """Whether the server has a share of that name, which it may let others use only.

        Raises: Disconnected.
        """

    def close(self) -> None:
        """Raises nothing; may be called twice."""


class Connector(Protocol):
    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        """Log in, open the pipe, with retries if it is not there yet, and bind.

        `deadline` is on the clock of `time.monotonic`. Raises: NoAgent, AccessRefused,
        Disconnected, RequestorError.
        """


class ShareRoot(NamedTuple):
    r"""The share that a UNC leads to.

    `\\nas.example\data\projects\2026` has the root `\\nas.example\data` and the prefix
    `projects\2026`, which is "" for the root itself.
    """

    given: str  # as the user wrote it
    unc: str  # without a trailing backslash
    host: str
    share: str
    prefix: str


class Resolver(Protocol):
    def resolve(self, unc: str) -> ShareRoot:
        """The share that a UNC in any spelling leads to. Raises: RequestorError."""

    def resolve_set(self, uncs: Sequence[str]) -> Sequence[ShareRoot]:
        """The same for the shares of one set, in their order, with one form of host names.

        Raises: RequestorError, with the result FSRVP_E_OBJECT_ALREADY_EXISTS if two UNCs lead to
        one share: 3.2.4.2.2 has the client itself answer that.
        """

    def other_host(self, owner: Optional[str], server: AgentConnection, unc: str) -> Optional[str]:
        """The host to connect to where `server` names `owner` as the owner of the share `unc`;
        None if that is `server` itself. Raises: RequestorError for a name that is not to be
        contacted."""


class SetState(Enum):
    """ShadowCopySet.Status (3.1.1.2) as far as the client knows it, in order, and one more."""

    STARTED = "Started"
    ADDED = "Added"
    PREPARED = "Prepared"
    COMMITTED = "Committed"
    EXPOSED = "Exposed"
    RECOVERED = "Recovered"
    REMOVING = "Removing"  # its copies are being deleted, or the set aborted


class ShadowCopyRecord(NamedTuple):
    """One share of a set. `shadow_share` is a bare name; it and `created`, a FILETIME, are known
    once the set is exposed."""

    copy_id: Guid
    root: ShareRoot
    shadow_share: Optional[str] = None
    created: Optional[int] = None


class SetRecord(NamedTuple):
    """The part of a shadow copy set that is on one server."""

    set_id: Guid  # made here, the same on all servers of the set
    server: str  # as it was contacted first
    server_set_id: Optional[Guid]  # made by the server, which may not have answered yet
    context: int
    state: SetState
    copies: Tuple[ShadowCopyRecord, ...]
    owner: Optional[str]  # the node that has the set, if the server named another than `server`
    job: str  # "" for none
    started: float  # seconds since 1970-01-01 UTC
    pid: int  # of the process that works with the set; 0 if it is kept, and belongs to none


class HostLock(Protocol):
    """One holder at a time on this host; a holder that is killed holds nothing."""

    def acquire(self, wait: float = 0.0) -> bool:
        """Take the lock, after `wait` seconds at most. Raises: RequestorError."""

    def held_by(self) -> str:
        """Who holds it, for people; "" if nobody knows."""

    def release(self) -> None:
        """Does nothing if the lock is not held."""

    def __enter__(self) -> HostLock: ...

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...


class SetStore(Protocol):
    """Records on disk, one for each set and server. A process that is killed while it writes, and
    another one that reads at the same time, harm none of them."""

    def records(self, set_id: Optional[Guid] = None) -> Iterable[SetRecord]:
        """All, or those of one set. Raises: RequestorError."""

    def write(self, record: SetRecord) -> None:
        """Add the record, or replace it; it is on the disk afterwards. Raises: RequestorError."""

    def forget(self, record: SetRecord) -> None:
        """Remove the record, if it is still there. Raises: RequestorError."""

    def lock(self, name: str, *, holder: str = "") -> HostLock:
        """The lock of that name, not yet taken. `holder` is what others are told."""

    def lock_of_set(self, set_id: Guid, *, holder: str = "") -> HostLock:
        """The lock of whoever works with a set."""

    def tidy(self) -> None:
        """Remove what killed processes have left and nobody needs: locks, unfinished records."""
