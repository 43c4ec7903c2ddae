"""Calls, and what the agent asks the daemon to do: reply, write, log, and run jobs.

The daemon carries actions out in order, so that everything before a `Reply` is as durable as its
`Save` asks when the client receives it. A `Run` is given to a worker thread; `Agent.finished`
takes its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Callable, NamedTuple, Optional, Protocol, Union

from fsrvpd.core.messages import Guid, Opnum, Request, Response
from fsrvpd.errors import PeerError
from fsrvpd.protocol.exports import Export
from fsrvpd.protocol.ports import Caller, ShadowShare, ShareLocation, Snapshot, SnapshotRequest

DEFAULT_CALL_TIMEOUT = 150.0  # s, of calls that name none; Windows gives up after 180 s


class ReplySink(Protocol):
    """The connection that sends calls and gets their responses."""

    def reply(self, call: Call, response: Response) -> None:
        """Take the response to a call. A sink whose client has left ignores it."""


@dataclass(eq=False)
class Call:
    """One request of a client, from its arrival to its response.

    `request` is None while it has not been decoded. `location` is set for opnums 3, 8 and 9:
    where the share that they name lies, or why it cannot be copied. `received_at` and
    `deadline` are monotonic times in seconds; the agent sets the deadline. `keep`: of opnum 3,
    whether the share's snapshot is to outlive its set, None where `fsrvp:keep` says it.
    `reason`: why it was refused, before its response is sent.
    """

    caller: Caller
    opnum: Opnum
    request: Optional[Request]
    reply_to: ReplySink
    received_at: float
    location: Union[ShareLocation, PeerError, None] = None
    deadline: float = inf
    keep: Optional[bool] = None
    reason: str = ""


class CallHandler(Protocol):
    """Has calls answered: each gets one response, through its `reply_to`."""

    def call(self, call: Call) -> None:
        """Take a call that has been decoded."""

    def refuse(self, call: Call, result: int, reason: str) -> None:
        """Answer a call with an error, and log why."""


class Reply(NamedTuple):
    """Send the response to a call."""

    call: Call
    response: Response
    reason: str = ""  # for the log: why the call was refused


class Durability(Enum):
    """What a document has to survive before the client is answered."""

    SYNCED = auto()  # a power cut
    WRITTEN = auto()  # the end of the daemon: a power cut ends the set itself
    LATER = auto()  # nothing: a restart finds the same on the disks and in Samba's registry


class Save(NamedTuple):
    """Write the document of a set. One that has changed neither disk nor registry is not
    written: it would not survive a restart anyway. `document` makes it when it is written, which
    takes 50 us: not while a client waits, if that can be later."""

    shadow_copy_set_id: Guid
    document: Callable[[], str]
    durability: Durability


class Forget(NamedTuple):
    """Delete the document of a set. A power cut may undo that: the document before it, of a set
    that is being removed or has made nothing, makes the next start remove the set again."""

    shadow_copy_set_id: Guid


class Event(NamedTuple):
    """Log an event; docs/events.md lists the names, which are stable."""

    name: str
    shadow_copy_set_id: Optional[Guid]
    text: str


@dataclass(eq=False)
class Prepare:
    """Do in advance what shortens the commit."""

    shadow_copy_set_id: Guid
    requests: list[SnapshotRequest]


@dataclass(eq=False)
class Commit:
    """Take every snapshot of a set, or none."""

    shadow_copy_set_id: Guid
    requests: list[SnapshotRequest]


@dataclass(eq=False)
class Expose:
    """Create every shadow copy share of a set with the export it leads to, or none."""

    shadow_copy_set_id: Guid
    shares: list[ShadowShare]
    exports: list[Export]


@dataclass(eq=False)
class RecreateShares:
    """Create shadow copy shares again that somebody else removed."""

    shadow_copy_set_id: Guid
    shares: list[ShadowShare]
    exports: list[Export]


@dataclass(eq=False)
class Seal:
    """Make snapshots, their shares and their exports read-only."""

    shadow_copy_set_id: Guid
    snapshots: list[Snapshot]
    names: list[str]
    exports: list[Export] = field(default_factory=list)


@dataclass(eq=False)
class Remove:
    """Remove shares, then exports, then snapshots with all their exports: those recorded, and
    those that a commit of `unknown` may have left without a record."""

    shadow_copy_set_id: Guid
    names: list[str] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    unknown: list[SnapshotRequest] = field(default_factory=list)


@dataclass(eq=False)
class Conclude:
    """Find out whether a Commit of `requests`, and an Expose of `names`, was completed before a
    crash. Changes nothing."""

    shadow_copy_set_id: Guid
    requests: list[SnapshotRequest]
    names: list[str]
    # The daemon alone has ended. It may have been before Commit looked at its shares again; what
    # was answered would be stored.
    same_boot: bool = False


Job = Union[Prepare, Commit, Expose, RecreateShares, Seal, Remove, Conclude]


class Run(NamedTuple):
    """Run a job; its outcome is passed to `Agent.finished`."""

    job: Job


Action = Union[Reply, Save, Forget, Event, Run]


class Failed(NamedTuple):
    """The outcome of a job that failed. `reason` is logged."""

    result: int
    reason: str


class Succeeded(NamedTuple):
    """The outcome of a job that succeeded; that of a Commit has the snapshots, in the order of
    its requests, and the time between the first and the last of them in seconds. That of a
    Conclude has the snapshots if every one is there, and the names of the shares that are."""

    snapshots: tuple[Snapshot, ...] = ()
    snapshot_skew: float = 0.0
    is_found: bool = False  # a Conclude finds the same, also after a power cut
    shares: frozenset[str] = frozenset()


Outcome = Union[Succeeded, Failed]
