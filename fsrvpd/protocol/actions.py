"""What the agent asks of the daemon: answers, durable writes, and jobs that may block.

The daemon carries actions out in the order in which they come, so that what precedes an
`Answer` is durable before the peer sees it. A `Run` is handed to a worker; its end comes
back through `Agent.finished`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Union

from fsrvpd.core.messages import Guid, Response
from fsrvpd.protocol.ports import ShadowShare, Snapshot, SnapshotRequest

Ticket = Any  # the daemon's handle of a call that awaits its answer; opaque here


class Answer(NamedTuple):
    ticket: Ticket
    response: Response
    reason: str = ""  # for the log: why a call was refused


class Save(NamedTuple):
    """`durable` is False where a power cut may take it: of a set that has touched neither
    disk nor registry nothing would be left but what a restart forgets anyway."""

    shadow_copy_set_id: Guid
    document: str
    durable: bool = True


class Forget(NamedTuple):
    """The last of a set. A power cut may take it back: what came before, the doom or a set
    that had made nothing, has the next start remove it once more."""

    shadow_copy_set_id: Guid


class Event(NamedTuple):
    """Something an admin should find in the log; `name` is stable."""

    name: str
    shadow_copy_set_id: Optional[Guid]
    text: str


@dataclass(eq=False)
class Prepare:
    """Do ahead of the commit whatever shortens it."""

    shadow_copy_set_id: Guid
    requests: list[SnapshotRequest]


@dataclass(eq=False)
class Commit:
    """Take every snapshot of a set, or none."""

    shadow_copy_set_id: Guid
    requests: list[SnapshotRequest]


@dataclass(eq=False)
class Expose:
    """Make every shadow copy share of a set, or none."""

    shadow_copy_set_id: Guid
    shares: list[ShadowShare]


@dataclass(eq=False)
class Republish:
    """Make shadow copy shares again that somebody else removed."""

    shadow_copy_set_id: Guid
    shares: list[ShadowShare]


@dataclass(eq=False)
class Seal:
    """Make snapshots and their shares read-only."""

    shadow_copy_set_id: Guid
    snapshots: list[Snapshot]
    names: list[str]


@dataclass(eq=False)
class Remove:
    """Remove shares, then snapshots; `unknown` may have left a snapshot nobody wrote down."""

    shadow_copy_set_id: Guid
    names: list[str] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    unknown: list[SnapshotRequest] = field(default_factory=list)


Job = Union[Prepare, Commit, Expose, Republish, Seal, Remove]


class Run(NamedTuple):
    job: Job


Action = Union[Answer, Save, Forget, Event, Run]


class Failed(NamedTuple):
    """How a job ended that did not succeed."""

    result: int
    reason: str


class Succeeded(NamedTuple):
    """Of a Commit: `snapshots` in the order of its requests, and the seconds between the
    first of them and the last."""

    snapshots: tuple[Snapshot, ...] = ()
    spread: float = 0.0


Outcome = Union[Succeeded, Failed]
