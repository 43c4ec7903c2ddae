"""A set made by this server's own admin, with the calls that a client makes, in their order.

The agent cannot tell the difference, except by the address: the same limits apply, and the same
events are logged. SMB, the pipe and the caller's authorisation are not used: the control socket
has its own.

A set is complete only when whoever asked for it has confirmed that he was told. Until then it is
removed when a step fails, when he disconnects, and when the daemon ends.
"""

from __future__ import annotations

import time
from typing import Callable, Iterator, NamedTuple, Optional, Sequence

from fsrvpd.core import messages as m
from fsrvpd.core.messages import NULL_GUID, Guid, Opnum, Request, Response, format_guid
from fsrvpd.daemon.agent.driver import AgentDriver
from fsrvpd.daemon.control.set_removal import RemovalWatcher
from fsrvpd.daemon.control.socket_server import ControlRequest
from fsrvpd.protocol import context, sequence
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import describe
from fsrvpd.protocol.model import ShadowCopySet, local_address
from fsrvpd.protocol.ports import Caller

LEVEL = 1
CLIENT_SHADOW_COPY_ID = b"fsrvpd-own-admin"


class Wanted(NamedTuple):
    """`keep`: None for what `fsrvp:keep` of each share says. `self_test`: it is no backup."""

    shares: Sequence[str]
    context: int = context.CTX_FILE_SHARE_BACKUP
    keep: Optional[bool] = None
    self_test: bool = False


class _Step(NamedTuple):
    opnum: Opnum
    share: str = ""  # that the call names

    def __str__(self) -> str:
        return f"{self.opnum.name} {self.share}".rstrip()


def _steps(shares: Sequence[str]) -> Iterator[_Step]:
    for opnum in sequence.CREATION:
        if opnum in (Opnum.AddToShadowCopySet, Opnum.GetShareMapping):
            yield from (_Step(opnum, share) for share in shares)
        else:
            yield _Step(opnum)


class SetCreation:
    """Makes a set, step by step. Fulfils `actions.ReplySink`: each response leads to the next
    step. `made` is called when clients reach the copies, `failed` instead with the reason, when
    nothing is left of the set."""

    def __init__(
        self,
        driver: AgentDriver,
        wanted: Wanted,
        request: ControlRequest,
        made: Callable[[SetCreation, ShadowCopySet], None],
        failed: Callable[[str], None],
    ) -> None:
        self._driver = driver
        self._wanted = wanted
        self._request = request
        self._made = made
        self._failed = failed
        creation = format_guid(m.new_guid())[1:9]
        address = local_address(creation, self_test=wanted.self_test)
        self._caller = caller(request, address)
        self._set_id: Guid = NULL_GUID
        self._copy_ids: dict[str, Guid] = {}
        self._completed: Optional[Callable[[], None]] = None
        self._ended = False
        self._steps = iter(list(_steps(wanted.shares)))
        self._step = next(self._steps)
        request.on_close.append(self._on_close)
        self._call()

    def reply(self, call: Call, response: Response) -> None:
        """Take the response to a step and make the next one."""
        if self._ended:
            return
        if response.result:
            self._fail(self._refusal(call, response))
            return
        if isinstance(response, m.GuidResponse):
            self._keep_id(response.guid)
        self._request.send_event({"step": str(self._step)})
        if self._ended:  # the client does not read, and was disconnected
            return
        if self._completed is not None:
            self.finish(self._completed)
            return
        self._step = next(self._steps)
        if self._step.opnum is Opnum.RecoveryCompleteShadowCopySet:
            self._offer()
        else:
            self._call()

    def complete(self, done: Callable[[], None]) -> None:
        """The last step. After it nothing removes the set but its age, or somebody's wish."""
        self._completed = done
        self._call()

    def finish(self, done: Callable[[], None]) -> None:
        """The set stays, whatever becomes of the request."""
        self._ended = True
        done()

    def _refusal(self, call: Call, response: Response) -> str:
        why = f"{self._step}: {describe(response.result)}"
        if call.reason:
            why = f"{why}: {call.reason}"
        if self._step.opnum is Opnum.AddToShadowCopySet:
            why = f"{why}; see `fsrvpctl fsrvpd check-path '{self._step.share}'`"
        return why

    def _keep_id(self, guid: Guid) -> None:
        if self._step.opnum is Opnum.StartShadowCopySet:
            self._set_id = guid
        else:
            self._copy_ids[self._step.share] = guid

    def _call(self) -> None:
        call = Call(
            self._caller,
            self._step.opnum,
            self._message(self._step),
            self,
            time.monotonic(),
            keep=self._wanted.keep,
        )
        self._driver.call(call)

    def _message(self, step: _Step) -> Request:
        set_id, opnum, unc = self._set_id, step.opnum, f"\\\\localhost\\{step.share}"
        if opnum is Opnum.SetContext:
            return m.SetContext(self._wanted.context)
        if opnum is Opnum.StartShadowCopySet:
            return m.StartShadowCopySet(CLIENT_SHADOW_COPY_ID)
        if opnum is Opnum.AddToShadowCopySet:
            return m.AddToShadowCopySet(CLIENT_SHADOW_COPY_ID, set_id, unc)
        if opnum is Opnum.PrepareShadowCopySet:
            return m.PrepareShadowCopySet(set_id, sequence.TIMEOUTS[opnum])
        if opnum is Opnum.CommitShadowCopySet:
            return m.CommitShadowCopySet(set_id, sequence.TIMEOUTS[opnum])
        if opnum is Opnum.ExposeShadowCopySet:
            return m.ExposeShadowCopySet(set_id, sequence.TIMEOUTS[opnum])
        if opnum is Opnum.GetShareMapping:
            return m.GetShareMapping(self._copy_ids[step.share], set_id, unc, LEVEL)
        return m.RecoveryCompleteShadowCopySet(set_id)

    def _offer(self) -> None:
        shadow_copy_set = self._driver.view.get(self._set_id)
        if shadow_copy_set is None or any(
            copy.snapshot is None for copy in shadow_copy_set.shadow_copy_list
        ):
            self._fail("the set was removed by somebody else before it was complete")
        else:
            self._made(self, shadow_copy_set)

    def _fail(self, why: str) -> None:
        """Report a failure when nothing is left of the set, or could be removed now."""
        if self._driver.view.get(self._set_id) is None:
            self._abandon(why)
            self._failed(why)
            return
        RemovalWatcher(
            self._set_id,
            self._request,
            removed=lambda: self._failed(why),
            failed=lambda left: self._failed(f"{why}; what was made {left}"),
        )
        self._abandon(why)

    def _abandon(self, why: str) -> None:
        self._ended = True
        if self._driver.view.get(self._set_id) is not None:
            self._driver.remove_set(self._set_id, why)
        self._driver.abandon(self._caller.address, why)

    def _on_close(self) -> None:
        if not self._ended:
            self._abandon("whoever asked for the set has disconnected")


def caller(request: ControlRequest, address: str) -> Caller:
    """Who asked on the control socket, as the caller of a method."""
    # The name of another uid could be winbindd's to know, and take time.
    account = f"uid {request.uid}" if request.uid else "root"
    return Caller(address, account, "", frozenset(), 0, request.uid, False)
