"""What `guest-agent` needs of a guest, whichever way leads to its agent.

A guest is not trusted: what its agent answers is bounded in length and time, and escaped.
"""

from __future__ import annotations

from typing import Any, Mapping, Protocol

from fsrvpd.requestor.errors import RequestorError

THAWED = "thawed"  # guest-fsfreeze-status
_LOOK = "look whether the guest runs, and qemu-guest-agent in it"


class AgentFailure(RequestorError):
    """The agent did not answer, or refused. What it was asked for may still happen, later."""

    def __init__(self, guest: str, cause: str, next_step: str = _LOOK) -> None:
        super().__init__(f"guest {guest}", cause, next_step)


class NoAnswer(AgentFailure):
    """Nobody has said whether it was done: it may still happen, also after what is asked later."""


class GuestGone(AgentFailure):
    """The guest does not run here: nothing of it is frozen, unless it runs on another host now."""


class Agent(Protocol):
    """The agent of one guest. Every time is in seconds."""

    @property
    def guest(self) -> str:
        """As messages call it."""

    @property
    def late(self) -> float:
        """For how long after its begin a freeze with NoAnswer may still come, although the agent
        has said `thawed` since; 0 where it answers in order."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What another process needs to thaw the guest."""

    def prepare(self, timeout: float) -> None:
        """Make sure that the agent answers, and that the guest is not frozen. Raises:
        AgentFailure."""

    def freeze(self, timeout: float) -> int:
        """The number of file systems that are frozen; 0 is not frozen. Raises: AgentFailure, after
        which the guest may be frozen, or will be later."""

    def thaw(self, timeout: float) -> bool:
        """One attempt: ask, thaw a guest that is frozen, and ask again. Return whether it was
        frozen until then. Once it says `thawed` to what was asked after a freeze, this freeze has
        been, or is lost, unless it is `late`. Raises: AgentFailure unless the guest has said
        it; GuestGone."""

    def close(self) -> None:
        """Raises nothing; may be called twice."""
