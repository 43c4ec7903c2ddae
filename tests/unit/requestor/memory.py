"""Servers in memory for a requestor: our own agent behind connections that a test can disturb.

`MemoryServer` is an agent with its disks; `MemoryConnector` leads to several of them by name.
`faults` say what happens to the next calls of a server.
"""

from __future__ import annotations

import threading
from enum import Enum, auto
from typing import Any, Callable, FrozenSet, Optional, Sequence, Type

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum, format_guid
from fsrvpd.errors import PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.agent import Agent
from fsrvpd.protocol.unc import normal_host, parse_unc
from fsrvpd.requestor.errors import Disconnected, NoAgent, RequestorError
from fsrvpd.requestor.ports import AgentConnection, SetRecord, ShareRoot
from tests.unit.protocol.server.driver import OPNUM_OF, Client, Server, location_of

MISSING = "missing"  # a share that no server has
NAMES_A_SHARE = (m.AddToShadowCopySet, m.IsPathSupported, m.IsPathShadowCopied)
HALF_AN_HOUR = 1800.0  # s
ADDRESS = "10.0.0.1"  # of the host on which the requestor runs


class Fault(Enum):
    LOST_REQUEST = auto()  # the connection breaks before the server has read the call
    LOST_ANSWER = auto()  # it breaks after the server has done what was asked
    REFUSED = auto()
    JOB_FAILS = auto()  # what the server does for the call fails, if it does something
    KILLED = auto()  # the requestor's process ends before it reads the answer


class Killed(BaseException):
    """The process of the requestor is gone: nothing of it may run from here on."""


class Process:
    """The requestor's process, which a test may kill: then nothing of it happens any more."""

    def __init__(self) -> None:
        self.alive = True

    def must_live(self) -> None:
        if not self.alive:
            raise Killed


class MemoryServer(Server):
    """An agent under a name of its own. `share` names are volumes too, `faults` are by the number
    of the call, `calls` what was asked."""

    def __init__(self, host: str, **settings: Any) -> None:
        self.host = host
        self.calls: list[Opnum] = []
        self.faults: dict[int, Fault] = {}
        self.refuse: dict[Opnum, int] = {}  # results by method, until the test takes them away
        self.keeps_committed = False  # as Samba's agent, which answers an abort of them with zero
        self.rests_after_abort = False  # as Windows, for half an hour: note 6
        self.resting_until = 0.0
        self.reachable = True
        self.gone: Type[RequestorError] = NoAgent  # what connecting fails with while it is not
        self.connections = 0
        self.open_connections = 0
        self.guard = threading.RLock()
        self.on_call: Callable[[m.Request], None] = lambda request: None
        super().__init__(**settings)

    def _new_agent(self) -> Agent:
        names = frozenset({normal_host(self.host)})
        return Agent(self.settings, self._new_guid, self.wall_clock, names)

    def _new_guid(self) -> m.Guid:
        """No two servers make the same."""
        return self.host.encode()[:4].ljust(4) + super()._new_guid()[4:]

    def answer(self, request: m.Request, address: str) -> m.Response:
        opnum = OPNUM_OF[type(request)]
        location = None
        if isinstance(request, NAMES_A_SHARE):
            share = parse_unc(request.share_name).share
            location = location_of(share)
            if share == MISSING:
                why = PeerError(HResult.FSRVP_E_OBJECT_NOT_FOUND, f"no share {share}")
                return self._response(request, address, why)
        if self.keeps_committed and isinstance(request, m.AbortShadowCopySet):
            held = self.set(request.shadow_copy_set_id)
            if held is not None and held.status is Status.COMMITTED:
                return m.StatusResponse(0)
        if self.rests_after_abort and isinstance(request, m.AbortShadowCopySet):
            held = self.set(request.shadow_copy_set_id)
            if held is not None and held.status in (Status.ADDED, Status.EXPOSED):
                self.resting_until = self.now + HALF_AN_HOUR
        if isinstance(request, m.StartShadowCopySet) and self.now < self.resting_until:
            return m.GuidResponse(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS)
        if opnum in self.refuse:
            return m.refusal(opnum, self.refuse[opnum])
        return self._response(request, address, location)

    def _response(self, request: m.Request, address: str, location: Any) -> m.Response:
        response: m.Response = Client(self, address).ask(request, location)
        return response


class MemoryConnection:
    uses_kerberos = False

    def __init__(self, server: MemoryServer, process: Process, address: str) -> None:
        self.server = server
        self._process = process
        self.host = server.host
        self.proved_names: FrozenSet[str] = frozenset({normal_host(server.host)})
        self.is_open = True
        self._address = address
        self._thread: Optional[threading.Thread] = None
        server.connections += 1
        server.open_connections += 1

    def call(self, request: m.Request, timeout: float = 180.0) -> m.Response:
        assert self.is_open, "a call over a connection that was closed"
        server = self.server
        server.on_call(request)
        with server.guard:
            self._process.must_live()
            number = len(server.calls)
            server.calls.append(OPNUM_OF[type(request)])
            fault = server.faults.get(number)
            if fault is Fault.LOST_REQUEST or not server.reachable:
                self._break()
            if fault is Fault.REFUSED:
                return m.refusal(OPNUM_OF[type(request)], HResult.VSS_E_PROVIDER_VETO)
            if fault is Fault.JOB_FAILS:
                return self._fail(request)
            response = server.answer(request, self._address)
            if fault is Fault.LOST_ANSWER:
                self._break()
            if fault is Fault.KILLED:
                self._process.alive = False
                raise Killed
            return response

    def has_share(self, name: str) -> bool:
        assert self.is_open
        return name in self.server.shares

    def close(self) -> None:
        if self.is_open:
            self.server.open_connections -= 1
        self.is_open = False

    def _fail(self, request: m.Request) -> m.Response:
        """Let the job that the call starts fail, without any effect."""
        server = self.server
        call = server.call(request, self._address, self._location(request))
        while call not in server.answers and server.running:
            server.fail(HResult.VSS_E_PROVIDER_VETO, server.running[0])
        return server.answers[call]

    def _location(self, request: m.Request) -> Any:
        named = isinstance(request, NAMES_A_SHARE)
        return location_of(parse_unc(request.share_name).share) if named else None

    def _break(self) -> None:
        self.close()
        raise Disconnected(self.host, "the connection broke", "look at the server")


class MemoryConnector:
    def __init__(self, *servers: MemoryServer, address: str = ADDRESS) -> None:
        self.process = Process()
        self.servers = {normal_host(server.host): server for server in servers}
        self._address = address
        self.contacted: list[str] = []

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        self.process.must_live()
        self.contacted.append(host)
        server = self.servers.get(normal_host(host))
        if server is None or not server.reachable:
            kind = NoAgent if server is None else server.gone
            raise kind(host, "no agent answers there", "look at the server")
        return MemoryConnection(server, self.process, self._address)


class MemoryNames:
    """Names as they are: `aliases` are hosts under other names, `owners` hosts that a server may
    name as owner."""

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.owners: dict[str, str] = {}

    def resolve(self, unc: str) -> ShareRoot:
        host, _, rest = unc.lstrip("\\").partition("\\")
        share, _, prefix = rest.strip("\\").partition("\\")
        host = self.aliases.get(host, host)
        return ShareRoot(unc, f"\\\\{host}\\{share}", host, share, prefix)

    def resolve_set(self, given: Sequence[str]) -> list[ShareRoot]:
        return [self.resolve(each) for each in given]

    def other_host(self, owner: Optional[str], server: AgentConnection, unc: str) -> Optional[str]:
        if owner is None or owner == "NAS" or normal_host(owner) in server.proved_names:
            return None
        if owner in self.owners:
            return self.owners[owner]
        raise RequestorError(unc, f"owner {owner} may not be contacted", "allow it")


class MemoryLock:
    def __init__(self, taken: dict[str, str], name: str, holder: str) -> None:
        self._taken, self._name, self._holder = taken, name, holder
        self._mine = False

    def acquire(self, wait: float = 0.0) -> bool:
        if self._name in self._taken:
            return False
        self._taken[self._name] = self._holder
        self._mine = True
        return True

    def held_by(self) -> str:
        return self._taken.get(self._name, "")

    def release(self) -> None:
        if self._mine:
            del self._taken[self._name]
            self._mine = False

    def __enter__(self) -> MemoryLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


class MemoryStore:
    """Records in memory. `history` is every state that was written."""

    def __init__(self, process: Optional[Process] = None) -> None:
        self.process = process or Process()
        self.kept: dict[tuple[bytes, str, Optional[str]], SetRecord] = {}
        self.history: list[SetRecord] = []
        self.locks: dict[str, str] = {}
        self.full = False

    def records(self, set_id: Optional[m.Guid] = None) -> Sequence[SetRecord]:
        return [each for each in self.kept.values() if set_id in (None, each.set_id)]

    def write(self, record: SetRecord) -> None:
        self.process.must_live()
        if self.full:
            raise RequestorError("state", "the disk is full", "df -h")
        self.kept[record.set_id, record.server, record.owner] = record
        self.history.append(record)

    def forget(self, record: SetRecord) -> None:
        self.process.must_live()
        self.kept.pop((record.set_id, record.server, record.owner), None)

    def lock(self, name: str, *, holder: str = "") -> MemoryLock:
        return MemoryLock(self.locks, name, holder)

    def lock_of_set(self, set_id: m.Guid, *, holder: str = "") -> MemoryLock:
        return self.lock(f"set {format_guid(set_id)}", holder=holder)

    def tidy(self) -> None:
        self.process.must_live()

    def kill_holder(self) -> None:
        """What the kernel does when a process ends."""
        self.locks.clear()


def unc(host: str, share: str) -> str:
    return f"\\\\{host}\\{share}"


def shadow_name(share: str, copy_id: bytes) -> str:
    return f"{share}@{format_guid(copy_id)}"
