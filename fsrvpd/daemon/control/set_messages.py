"""`create-set` and `complete-set`: backups without a client that speaks MS-FSRVP."""

from __future__ import annotations

import time
from typing import Sequence

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum, Response, format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.control.parameters import Parameters
from fsrvpd.daemon.control.replies import creation_to_json
from fsrvpd.daemon.control.set_creation import SetCreation, Wanted, caller
from fsrvpd.daemon.control.set_removal import find_set, parse_set_id
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol import context
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.model import ShadowCopySet
from fsrvpd.protocol.unc import normal_share

CREATE_USAGE = "create-set SHARE... [--context NAME] [--keep] [--writable]"
COMPLETE_USAGE = "complete-set ID"
DEFAULT_CONTEXT = "file-share-backup"


class SetMessages:
    """Handles both."""

    def __init__(self, driver: AgentDriver) -> None:
        self._driver = driver

    def create(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """The result is an event first, and final when the client has confirmed it."""
        wanted = _wanted(parameters)

        def made(creation: SetCreation, shadow_copy_set: ShadowCopySet) -> None:
            is_writable = context.is_writable(shadow_copy_set.context)
            result = creation_to_json(shadow_copy_set, self._driver.view)

            def done() -> None:
                request.finish(result)

            def confirmed() -> None:
                if is_writable:  # until `complete-set`
                    creation.finish(done)
                else:
                    creation.complete(done)

            request.on_answer = confirmed
            request.send_event({"result": result})

        def failed(why: str) -> None:
            request.fail(f"no set was created: {why}")

        SetCreation(self._driver, wanted, request, made, failed)

    def complete(self, parameters: Sequence[str], request: ControlRequest) -> None:
        """RecoveryComplete of any set, as one call of a client."""
        given = Parameters.read(parameters, COMPLETE_USAGE)
        shadow_copy_set = find_set(self._driver.view, parse_set_id(given.only_name()))
        _Completion(self._driver, shadow_copy_set, request)


class _Completion:
    """Fulfils `actions.ReplySink`, for one call."""

    def __init__(
        self, driver: AgentDriver, shadow_copy_set: ShadowCopySet, request: ControlRequest
    ) -> None:
        self._request = request
        self._set_id = format_guid(shadow_copy_set.shadow_copy_set_id)
        message = m.RecoveryCompleteShadowCopySet(shadow_copy_set.shadow_copy_set_id)
        admin = caller(request, shadow_copy_set.client_address)
        opnum = Opnum.RecoveryCompleteShadowCopySet
        driver.call(Call(admin, opnum, message, self, time.monotonic()))

    def reply(self, call: Call, response: Response) -> None:
        if response.result:
            why = f"{describe(response.result)}: {call.reason}"
            self._request.fail(
                f"set {self._set_id} is not completed: {why};"
                f" `fsrvpctl fsrvpd show-set {self._set_id}` shows it"
            )
        else:
            self._request.finish({"set": self._set_id, "status": "Recovered"})


def _wanted(parameters: Sequence[str]) -> Wanted:
    """Raises: FsrvpdError."""
    given = Parameters.read(
        parameters, CREATE_USAGE, flags=("keep", "writable"), values=("context",)
    )
    if not given.names:
        raise FsrvpdError(f"usage: {CREATE_USAGE}")
    name = given.values.get("context", DEFAULT_CONTEXT)
    if name not in context.BY_NAME:
        known = ", ".join(sorted(context.BY_NAME))
        raise FsrvpdError(f"--context={name}: there is no such context; there are {known}")
    number = context.BY_NAME[name]
    if "writable" in given.flags:
        number |= context.ATTR_AUTO_RECOVERY
    shares = tuple({normal_share(name): name for name in given.names}.values())
    return Wanted(shares, number, keep=True if "keep" in given.flags else None)
