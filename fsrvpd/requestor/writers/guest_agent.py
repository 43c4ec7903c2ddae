"""The writer `guest-agent`: the file systems of a QEMU guest, frozen by the agent in it."""

from __future__ import annotations

import time
from typing import Any, Mapping, Optional, Sequence

from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError
from fsrvpd.requestor.writers.agent import Agent, AgentFailure, GuestGone, NoAnswer
from fsrvpd.requestor.writers.agent_socket import AgentSocket
from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe, WriterFailed
from fsrvpd.requestor.writers.thawing import thaw_until
from fsrvpd.requestor.writers.virsh import DEFAULT_URI, Virsh

KIND = "guest-agent"
_PREPARE = 15.0  # s: an agent that hangs is known by then, also to libvirt
_ATTEMPT = 5.0  # s to thaw, of which there are many
_GIVE_UP = 30.0  # s; the keeper goes on
_PAUSE = 0.5  # s between two questions whether a freeze came late
_THAWED_BEFORE = "was thawed before the copies were made, or meanwhile"
_LOOK_WHO = "look who thaws it: its agent's log says so"
_GONE = "does not run here any more: it was switched off or migrated while it was frozen"
_LOOK_ELSEWHERE = "if it was migrated, type `virsh domfsthaw` with its name on its new host"


class GuestAgentWriter:
    """A `Writer` of one guest. Lower priorities are frozen first."""

    kind = KIND

    def __init__(
        self,
        name: str,
        agent: Agent,
        *,
        priority: int = 0,
        required: bool = True,
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self.priority = priority
        self.required = required
        self.timeout = timeout
        self._agent = agent
        self._is_frozen = False
        self._may_freeze_until = 0.0  # of the monotonic clock
        self._look = _LOOK_WHO
        self._doubt = ""  # why it was perhaps not frozen until it was thawed here

    def prepare(self) -> None:
        self._agent.prepare(_PREPARE)

    def freeze(self) -> None:
        """Raises: AgentFailure, also if nothing was frozen."""
        self._is_frozen, self._doubt = False, ""
        self._may_freeze_until = time.monotonic() + self._agent.late
        try:
            number = self._agent.freeze(self.timeout)
        except NoAnswer:
            raise
        except AgentFailure:
            self._may_freeze_until = 0.0
            raise
        self._may_freeze_until = 0.0
        if number < 1:
            raise AgentFailure(
                self._agent.guest,
                "its agent has frozen 0 file systems",
                "look whether a file system of a disk is mounted in the guest",
            )
        self._is_frozen = True

    def thaw(self) -> None:
        """Also what a freeze that was given up freezes later. Raises: RequestorError while the
        guest does not say that it is thawed."""
        error = self._thaw_until_it_says_so()
        while error is None and time.monotonic() < self._may_freeze_until:
            time.sleep(_PAUSE)
            error = self._thaw_until_it_says_so()
        if error is not None:
            cause = f"{error.object} may be frozen: {error.cause}"
            next_step = f"{error.next_step}; then type `fsrvpshadow clean`"
            raise WriterFailed(self.name, cause, next_step, exit_status=LEFT_SOMETHING) from error

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """An image that was frozen needs nothing more. Raises: WriterFailed for one that was not,
        all the time: Windows thaws by itself after 10 seconds."""
        if self._doubt:
            raise WriterFailed(self.name, f"guest {self._agent.guest} {self._doubt}", self._look)

    def thaw_recipe(self) -> ThawRecipe:
        return ThawRecipe(self.kind, self.name, self._agent.recipe)

    def close(self) -> None:
        self._agent.close()

    def _thaw_until_it_says_so(self) -> Optional[RequestorError]:
        return thaw_until(self.thaw_recipe(), time.monotonic() + _GIVE_UP, thaw=self._attempt)

    def _attempt(self, recipe: ThawRecipe) -> None:
        was_frozen, self._is_frozen = self._is_frozen, False
        try:
            did_thaw = self._agent.thaw(_ATTEMPT)
        except GuestGone:
            self._may_freeze_until = 0.0
            if was_frozen:
                self._doubt, self._look = _GONE, _LOOK_ELSEWHERE
            return
        if did_thaw:
            self._may_freeze_until = 0.0  # what was late has come
        elif was_frozen:
            self._doubt, self._look = _THAWED_BEFORE, _LOOK_WHO


def agent_of(values: Mapping[str, Any]) -> Agent:
    """By `socket`, or by `domain` and perhaps `uri`."""
    if "socket" in values:
        return AgentSocket(values["socket"])
    return Virsh(values["domain"], values.get("uri") or DEFAULT_URI)


def thaw(recipe: ThawRecipe) -> None:
    """Once; a guest that is off is not frozen. Raises: AgentFailure."""
    agent = agent_of(recipe.values)
    _thaw(agent, time.monotonic())


def thaw_late(recipe: ThawRecipe) -> None:
    """And what its client, which has just ended, had asked for. Raises: AgentFailure."""
    agent = agent_of(recipe.values)
    _thaw(agent, time.monotonic() + agent.late)


def _thaw(agent: Agent, until: float) -> None:
    """Until a guest that was frozen is thawed, or until then. Raises: AgentFailure."""
    try:
        while not agent.thaw(_ATTEMPT) and time.monotonic() < until:
            time.sleep(_PAUSE)
    except GuestGone:
        return
    finally:
        agent.close()
