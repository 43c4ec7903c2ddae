"""Calls on their way from a door to the leader, and their answers on the way back.

A door does what needs the connection: who calls, signatures, access, encoding. The leader does the
rest. When the leader has gone nobody knows how far a call was, so it is answered with an error and
never repeated; only what asks, and changes nothing, is asked again of the next leader.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Callable, Optional

from fsrvpd.cluster import wire
from fsrvpd.cluster.wire import ForwardedAnswer, ForwardedCall, RequestId, WireError
from fsrvpd.core.messages import (
    FSRVP_RPC_VERSION_1,
    CommitShadowCopySet,
    ExposeShadowCopySet,
    Opnum,
    PrepareShadowCopySet,
    Request,
    Response,
    VersionResponse,
    refusal,
    timeout_of,
)
from fsrvpd.core.ndr import (
    Malformed,
    Syntax,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from fsrvpd.protocol.actions import DEFAULT_CALL_TIMEOUT, Call, CallHandler
from fsrvpd.protocol.cluster import Ballot
from fsrvpd.protocol.hresult import HResult

# Of a client's time-out: a call that nobody takes is answered before it.
BEFORE_TIMEOUT = 1.0  # s
# The leader answers at the time-out itself, and knows more.
AFTER_TIMEOUT = 1.0  # s
REPEATABLE = frozenset(
    {
        Opnum.GetSupportedVersion,
        Opnum.IsPathSupported,
        Opnum.IsPathShadowCopied,
        Opnum.GetShareMapping,
    }
)
# MS-FSRVP has a result for a wait of which nobody knows the end.
WAITING = frozenset(
    {Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet, Opnum.ExposeShadowCopySet}
)

Send = Callable[[int, bytes], None]  # to a node
Clock = Callable[[], float]  # monotonic, s
Answered = Callable[[Call, Response, str], None]  # with the reason of a refusal


class _State(Enum):
    HOLDING = auto()
    FOLLOWING = auto()
    REFUSING = auto()


@dataclass(eq=False)
class _Pending:
    call: Call
    timeout: float  # s
    number: Optional[int] = None  # under which the leader has it; None: nobody has

    @property
    def deadline(self) -> float:
        margin = -BEFORE_TIMEOUT if self.number is None else AFTER_TIMEOUT
        return self.call.received_at + self.timeout + margin


class Forwarder:
    """The door's end: a `CallHandler` that has the leader answer. `nonce` is that of this process;
    `answered` sends the response to the client. `tick` is due at `next_deadline`."""

    def __init__(
        self, nonce: str, node: Callable[[], int], send: Send, answered: Answered, clock: Clock
    ) -> None:
        self._nonce = nonce
        self._node = node
        self._send = send
        self._answered = answered
        self._clock = clock
        self._state = _State.HOLDING
        self._why = "this agent has just started"
        self._leader: Optional[Ballot] = None
        self._pending: list[_Pending] = []  # in the order of their arrival
        self._last_number = 0

    def call(self, call: Call) -> None:
        if call.opnum is Opnum.GetSupportedVersion:
            version = FSRVP_RPC_VERSION_1
            self._answered(call, VersionResponse(HResult.ZERO, version, version), "")
        elif self._state is _State.REFUSING:
            self.refuse(call, HResult.E_UNEXPECTED, self._why)
        else:
            pending = _Pending(call, timeout_of(call.request, DEFAULT_CALL_TIMEOUT))
            self._pending.append(pending)
            self._pass_on(pending)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        self._answered(call, refusal(call.opnum, result), reason)

    def follow(self, leader: Ballot, version: int) -> None:
        """Pass calls on to a leader, also those that were held."""
        if self._leader != leader:
            self._lose_leader("another agent leads")
        if version != wire.VERSION:
            self.reject(f"node {leader.node} leads with another version of fsrvpd")
            return
        self._state, self._leader = _State.FOLLOWING, leader
        for pending in list(self._pending):
            self._pass_on(pending)

    def hold(self, why: str) -> None:
        """Nobody leads: keep calls until somebody does."""
        self._lose_leader(why)
        self._state, self._why = _State.HOLDING, why

    def reject(self, why: str) -> None:
        """Refuse every call from now on."""
        self._lose_leader(why)
        self._state, self._why = _State.REFUSING, why
        for pending in list(self._pending):
            self._end(pending, HResult.E_UNEXPECTED, why)

    def release(self) -> list[Call]:
        """This agent leads now: end everything, and return what was held, in its order."""
        self.hold("this agent leads")
        held, self._pending = self._pending, []
        return [pending.call for pending in held]

    def take(self, answer: ForwardedAnswer) -> None:
        """An answer of the leader. One that nobody waits for is dropped."""
        if answer.request.nonce != self._nonce:
            return
        for pending in self._pending:
            if pending.number == answer.request.number:
                self._take(pending, answer)
                return

    def tick(self) -> None:
        """Answer the calls that have waited for too long."""
        now = self._clock()
        for pending in [each for each in self._pending if each.deadline <= now]:
            why = self._why if pending.number is None else "the leader does not answer"
            self._end(pending, HResult.E_UNEXPECTED, why)

    def next_deadline(self) -> Optional[float]:
        return min((each.deadline for each in self._pending), default=None)

    def _pass_on(self, pending: _Pending) -> None:
        """To the leader, if there is one and it does not have it yet."""
        leader, call = self._leader, pending.call
        if leader is None or pending.number is not None:
            return
        self._last_number += 1
        try:
            data = self._encode(leader, call)
        except (ValueError, WireError) as error:
            self._end(pending, HResult.E_UNEXPECTED, f"it cannot be passed on: {error}")
            return
        pending.number = self._last_number
        self._send(leader.node, data)

    def _encode(self, leader: Ballot, call: Call) -> bytes:
        """Raises: ValueError, WireError."""
        request = call.request
        if request is None:
            raise ValueError("it was not decoded")
        age = round((self._clock() - call.received_at) * 1000)
        return wire.encode(
            ForwardedCall(
                leader.nonce,
                self._node(),
                RequestId(self._nonce, self._last_number),
                age,
                call.caller,
                call.opnum,
                encode_request(_with_rest_of_timeout(request, age), Syntax.NDR),
            )
        )

    def _take(self, pending: _Pending, answer: ForwardedAnswer) -> None:
        call = pending.call
        try:
            response = decode_response(call.opnum, answer.stub, Syntax.NDR)
        except Malformed as error:
            self._end(pending, HResult.E_UNEXPECTED, f"the leader's answer: {error}")
            return
        self._pending.remove(pending)
        self._answered(call, response, answer.reason)

    def _lose_leader(self, why: str) -> None:
        self._leader = None
        for pending in [each for each in self._pending if each.number is not None]:
            if pending.call.opnum in REPEATABLE:
                pending.number = None
                continue
            is_wait = pending.call.opnum in WAITING
            result = HResult.FSRVP_E_WAIT_FAILED if is_wait else HResult.E_UNEXPECTED
            self._end(pending, result, f"the leader was lost during the call: {why}")

    def _end(self, pending: _Pending, result: int, why: str) -> None:
        self._pending.remove(pending)
        self.refuse(pending.call, result, why)


class CallReceiver:
    """The leader's end: gives calls of doors to its agent. `is_there` says whether a process
    still runs that waits for an answer."""

    def __init__(
        self,
        nonce: str,
        handler: CallHandler,
        send: Send,
        is_there: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._nonce = nonce
        self._handler = handler
        self._send = send
        self._is_there = is_there
        self._clock = clock

    def take(self, forwarded: ForwardedCall) -> None:
        """One that is meant for another leader is dropped: its door knows, or will, that it was
        lost."""
        if forwarded.leader != self._nonce:
            return
        sink = _Door(self, forwarded.door, forwarded.request)
        received_at = self._clock() - forwarded.age / 1000
        call = Call(forwarded.caller, forwarded.opnum, None, sink, received_at)
        try:
            call.request = decode_request(call.opnum, forwarded.stub, Syntax.NDR)
        except Malformed as error:
            self._handler.refuse(call, HResult.E_INVALIDARG, str(error))
            return
        self._handler.call(call)

    def send(self, node: int, request: RequestId, call: Call, response: Response) -> None:
        if not self._is_there(request.nonce):
            return
        try:
            stub = encode_response(call.opnum, response, Syntax.NDR)
        except ValueError:
            failed = refusal(call.opnum, HResult.E_UNEXPECTED)
            stub = encode_response(call.opnum, failed, Syntax.NDR)
        self._send(node, wire.encode(ForwardedAnswer(request, stub, call.reason)))


class _Door:
    """A `ReplySink`."""

    def __init__(self, receiver: CallReceiver, node: int, request: RequestId) -> None:
        self._receiver = receiver
        self._node = node
        self._request = request

    def reply(self, call: Call, response: Response) -> None:
        self._receiver.send(self._node, self._request, call, response)


def _with_rest_of_timeout(request: Request, age: int) -> Request:
    """What the client's time-out leaves after `age` ms."""
    if isinstance(request, (PrepareShadowCopySet, CommitShadowCopySet, ExposeShadowCopySet)):
        rest = max(request.timeout_in_milliseconds - age, 0)
        return request._replace(timeout_in_milliseconds=rest)
    return request
