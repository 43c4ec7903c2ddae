"""QEMU's guest agent through libvirt, by virsh: who else opens the agent's socket hears nothing."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any, Mapping

from fsrvpd.requestor.writers.agent import THAWED, AgentFailure, GuestGone, NoAnswer
from fsrvpd.requestor.writers.agent_socket import STATUS, frozen_already
from fsrvpd.run_command import CommandFailed, run

DEFAULT_URI = "qemu:///system"
_NUMBER = re.compile(r"\d+")
_PASSED = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")  # for qemu:///session


class Virsh:
    """An `Agent`. `domain` is a name or a UUID."""

    # libvirt goes on when virsh is killed: a command waits 30 s for those before it, in no order.
    late = 35.0

    def __init__(self, domain: str, uri: str = DEFAULT_URI) -> None:
        self._domain = domain
        self._uri = uri

    @property
    def guest(self) -> str:
        return self._domain

    @property
    def recipe(self) -> Mapping[str, Any]:
        return {"domain": self._domain, "uri": self._uri}

    def prepare(self, timeout: float) -> None:
        if self._status(timeout) != THAWED:
            raise frozen_already(self.guest)

    def freeze(self, timeout: float) -> int:
        said = self._run(timeout, "domfsfreeze")
        number = _NUMBER.search(said)  # Froze 1 filesystem(s)
        if number is None:
            raise AgentFailure(self.guest, f"virsh domfsfreeze says no number: {said}")
        return int(number[0])

    def thaw(self, timeout: float) -> bool:
        """libvirt speaks to an agent that hung, too, but may not deliver the first command."""
        deadline = time.monotonic() + timeout
        if self._status(timeout) == THAWED:
            return False
        self._run(max(deadline - time.monotonic(), 1.0), "domfsthaw")
        status = self._status(max(deadline - time.monotonic(), 1.0))
        if status != THAWED:
            raise AgentFailure(self.guest, f"its agent says {status} after virsh domfsthaw")
        return True

    def close(self) -> None:
        """Nothing is open between two commands."""

    def _status(self, timeout: float) -> str:
        question = json.dumps({"execute": STATUS})
        said = self._run(timeout, "qemu-agent-command", "--cmd", question)
        try:
            return str(json.loads(said)["return"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise AgentFailure(self.guest, f"its agent answered {said[:200]}") from None

    def _run(self, timeout: float, command: str, *words: str) -> str:
        """What a command about the domain prints. Raises: AgentFailure, GuestGone."""
        argv = ["virsh", "--connect", self._uri, command, "--domain", self._domain, *words]
        deadline = time.monotonic() + timeout
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        try:
            return run(argv, timeout=timeout, environment=environment).stdout.strip()
        except CommandFailed as error:
            left = deadline - time.monotonic()
            if error.status is not None and self._is_off(max(left, 1.0), environment):
                cause = "it does not run"
                raise GuestGone(self.guest, cause, f"virsh -c {self._uri} list --all") from None
            has_answered = error.status is not None and error.status >= 0
            failure = AgentFailure if has_answered else NoAnswer
            raise failure(self.guest, str(error)) from error

    def _is_off(self, timeout: float, environment: Mapping[str, str]) -> bool:
        """Not one that is paused: that stays frozen. virsh's message is the same for both."""
        argv = ["virsh", "--connect", self._uri, "list", "--name", "--uuid"]
        try:
            listed = run(argv, timeout=timeout, environment=environment).stdout
        except CommandFailed:
            return False
        if self._domain.isdecimal():
            return False  # perhaps the number of one that runs, which is not listed
        wanted = self._domain.strip().lower()
        parts = [line.lower().partition(" ") for line in listed.splitlines()]
        return not any(wanted in (uuid, name.strip()) for uuid, _, name in parts)
