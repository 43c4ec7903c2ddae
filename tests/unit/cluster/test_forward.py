"""Calls that a door passes on: both ends, with the messages between them."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.cluster import wire
from fsrvpd.cluster.forward import CallReceiver, Forwarder
from fsrvpd.cluster.wire import ForwardedAnswer, ForwardedCall, RequestId
from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum, Request, Response
from fsrvpd.protocol.actions import DEFAULT_CALL_TIMEOUT, Call
from fsrvpd.protocol.cluster import Ballot
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller

CALLER = Caller("10.0.0.9", "DOM\\joe", "S-1-5-21-1", frozenset({"S-1-1-0"}), 1 << 17, 1000, False)
SET, COPY = bytes(range(16)), bytes(range(16, 32))
COMMIT = m.CommitShadowCopySet(SET, 60_000)
ASK = m.IsPathSupported("\\\\clus\\data\\")
LEADER, NEXT = Ballot(3, 0, "zero"), Ballot(4, 2, "two")
REQUESTS: list[Request] = [
    m.SetContext(9),
    m.StartShadowCopySet(COPY),
    m.AddToShadowCopySet(COPY, SET, "\\\\clus\\data\\"),
    COMMIT,
    m.ExposeShadowCopySet(SET, 60_000),
    m.RecoveryCompleteShadowCopySet(SET),
    m.AbortShadowCopySet(SET),
    ASK,
    m.IsPathShadowCopied("\\\\clus\\data\\"),
    m.GetShareMapping(COPY, SET, "\\\\clus\\data\\", 1),
    m.DeleteShareMapping(SET, COPY, "\\\\clus\\data\\"),
    m.PrepareShadowCopySet(SET, 60_000),
]


class Cluster:
    """A door at node 1, and the agents that it may be passed on to. Also the client of the door,
    and the agent of the leader."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answers: list[tuple[Opnum, Response, str]] = []
        self.sent: list[tuple[int, wire.Message]] = []
        self.calls: list[Call] = []
        self.there = {"door"}
        self.door = Forwarder("door", lambda: 1, self.send, self.answered, lambda: self.now)
        self.receivers = {
            ballot.node: CallReceiver(
                ballot.nonce, self, self.send, self.there.__contains__, lambda: self.now
            )
            for ballot in (LEADER, NEXT)
        }

    def send(self, node: int, data: bytes) -> None:
        self.sent.append((node, wire.decode(data)))

    def answered(self, call: Call, response: Response, reason: str) -> None:
        self.answers.append((call.opnum, response, reason))

    def call(self, call: Call) -> None:
        self.calls.append(call)

    def refuse(self, call: Call, result: int, reason: str) -> None:
        call.reason = reason
        call.reply_to.reply(call, m.refusal(call.opnum, result))

    def reply(self, call: Call, response: Response) -> None:
        raise AssertionError("the door replies by `answered`")

    def ask(self, request: Request) -> Call:
        """A client's call."""
        call = Call(CALLER, Opnum[type(request).__name__], request, self, self.now)
        self.door.call(call)
        return call

    def deliver(self) -> None:
        """All messages that were sent."""
        while self.sent:
            node, message = self.sent.pop(0)
            if isinstance(message, ForwardedCall):
                self.receivers[node].take(message)
            elif isinstance(message, ForwardedAnswer):
                assert node == 1
                self.door.take(message)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.door.tick()

    @property
    def results(self) -> list[int]:
        return [response.result for _, response, _ in self.answers]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_call_is_answered_by_the_leader(cluster: Cluster, request_: Request) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    sent = cluster.ask(request_)
    cluster.deliver()
    [call] = cluster.calls
    assert (call.caller, call.opnum, call.request) == (CALLER, sent.opnum, request_)
    assert call.received_at == sent.received_at
    response = m.refusal(call.opnum, HResult.FSRVP_E_BAD_STATE)
    call.reason = "for a reason"
    call.reply_to.reply(call, response)
    cluster.deliver()
    assert cluster.answers == [(sent.opnum, response, "for a reason")]
    assert cluster.door.next_deadline() is None


def test_an_answer_is_passed_back_whole(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(ASK)
    cluster.deliver()
    response = m.PathSupportedResponse(0, True, "CLUS")
    cluster.calls[0].reply_to.reply(cluster.calls[0], response)
    cluster.deliver()
    assert cluster.answers == [(Opnum.IsPathSupported, response, "")]


@pytest.mark.parametrize("state", ["holding", "following", "refusing"])
def test_the_version_is_the_doors_own_answer(cluster: Cluster, state: str) -> None:
    if state == "following":
        cluster.door.follow(LEADER, wire.VERSION)
    elif state == "refusing":
        cluster.door.reject("not active")
    cluster.ask(m.GetSupportedVersion())
    assert cluster.answers == [(Opnum.GetSupportedVersion, m.VersionResponse(0, 1, 1), "")]
    assert cluster.sent == []


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_when_the_leader_is_lost_nothing_is_repeated_but_questions(
    cluster: Cluster, request_: Request
) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    call = cluster.ask(request_)
    cluster.sent.clear()
    cluster.door.hold("node 0 has died")
    if call.opnum in (Opnum.IsPathSupported, Opnum.IsPathShadowCopied, Opnum.GetShareMapping):
        assert cluster.answers == []
    else:
        waiting = (Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet, Opnum.ExposeShadowCopySet)
        failed = HResult.FSRVP_E_WAIT_FAILED if call.opnum in waiting else HResult.E_UNEXPECTED
        assert cluster.results == [failed]
        assert "node 0 has died" in cluster.answers[0][2]
    cluster.door.follow(NEXT, wire.VERSION)
    assert [node for node, _ in cluster.sent] == [2] * (1 - len(cluster.answers))


def test_a_leader_that_is_replaced_at_once_is_lost_too(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(COMMIT)
    cluster.door.follow(NEXT, wire.VERSION)
    assert cluster.results == [HResult.FSRVP_E_WAIT_FAILED]


def test_an_answer_of_a_lost_leader_is_nobodys(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(ASK)
    cluster.deliver()
    cluster.door.follow(NEXT, wire.VERSION)
    old = cluster.calls[0]
    cluster.deliver()
    old.reply_to.reply(old, m.PathSupportedResponse(0, True, "OLD"))
    cluster.deliver()
    assert cluster.answers == []
    new = cluster.calls[1]
    new.reply_to.reply(new, m.PathSupportedResponse(0, True, "NEW"))
    cluster.deliver()
    assert cluster.answers == [(Opnum.IsPathSupported, m.PathSupportedResponse(0, True, "NEW"), "")]


def test_calls_are_held_until_somebody_leads_and_keep_their_order(cluster: Cluster) -> None:
    requests = REQUESTS[:3]
    for request in requests:
        cluster.ask(request)
    assert (cluster.sent, cluster.answers) == ([], [])
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.deliver()
    assert [call.request for call in cluster.calls] == requests


def test_a_call_that_was_held_has_the_rest_of_its_time(cluster: Cluster) -> None:
    cluster.ask(COMMIT)
    cluster.wait(20)
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.deliver()
    assert cluster.calls[0].request == m.CommitShadowCopySet(SET, 40_000)
    assert cluster.calls[0].received_at == 1000


@pytest.mark.parametrize(("request_", "timeout"), [(COMMIT, 60), (ASK, DEFAULT_CALL_TIMEOUT)])
def test_a_held_call_is_refused_before_its_time_out(
    cluster: Cluster, request_: Request, timeout: float
) -> None:
    cluster.ask(request_)
    cluster.door.hold("node 0 has died")
    assert cluster.door.next_deadline() == 1000 + timeout - 1
    cluster.wait(timeout - 1.5)
    assert cluster.answers == []
    cluster.wait(0.5)
    assert cluster.results == [HResult.E_UNEXPECTED]
    assert cluster.answers[0][2] == "node 0 has died"


def test_a_leader_that_does_not_answer_has_a_second_more(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(COMMIT)
    cluster.wait(60.5)
    assert cluster.answers == []
    cluster.wait(0.5)
    assert cluster.results == [HResult.E_UNEXPECTED]


def test_a_node_without_cluster_refuses_at_once(cluster: Cluster) -> None:
    cluster.ask(ASK)
    cluster.door.reject("this node is not active")
    cluster.ask(COMMIT)
    assert cluster.results == [HResult.E_UNEXPECTED] * 2
    assert {reason for _, _, reason in cluster.answers} == {"this node is not active"}
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(COMMIT)
    assert len(cluster.sent) == 1


def test_a_leader_of_another_version_gets_no_calls(cluster: Cluster) -> None:
    cluster.ask(ASK)
    cluster.door.follow(LEADER, wire.VERSION + 1)
    assert cluster.results == [HResult.E_UNEXPECTED]
    assert cluster.sent == []


def test_a_call_for_an_earlier_process_is_dropped(cluster: Cluster) -> None:
    cluster.door.follow(LEADER._replace(nonce="earlier"), wire.VERSION)
    cluster.ask(COMMIT)
    cluster.deliver()
    assert cluster.calls == []


def test_a_door_that_is_gone_gets_no_answer(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(ASK)
    cluster.deliver()
    cluster.there.clear()
    cluster.calls[0].reply_to.reply(cluster.calls[0], m.PathSupportedResponse(0, True, "CLUS"))
    assert cluster.sent == []


def test_a_stub_that_is_none_is_refused(cluster: Cluster) -> None:
    broken = ForwardedCall(
        "zero", 1, RequestId("door", 1), 0, CALLER, Opnum.CommitShadowCopySet, b"short"
    )
    cluster.receivers[0].take(broken)
    assert cluster.calls == []
    [(node, answer)] = cluster.sent
    assert node == 1
    assert isinstance(answer, ForwardedAnswer)


@pytest.mark.parametrize(
    ("request_id", "expected"),
    [(None, [HResult.E_UNEXPECTED]), (RequestId("other", 1), []), (RequestId("door", 7), [])],
)
def test_an_answer_that_cannot_be_read_ends_its_call_alone(
    cluster: Cluster, request_id: Optional[RequestId], expected: list[int]
) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(COMMIT)
    [(_, sent)] = cluster.sent
    assert isinstance(sent, ForwardedCall)
    cluster.door.take(ForwardedAnswer(request_id or sent.request, b""))
    assert cluster.results == expected


def test_a_response_that_cannot_be_sent_is_an_error(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(ASK)
    cluster.deliver()
    cluster.calls[0].reply_to.reply(cluster.calls[0], m.PathSupportedResponse(0, True, "x" * 5000))
    cluster.deliver()
    assert cluster.results == [HResult.E_UNEXPECTED]


def test_a_name_that_cannot_be_sent_is_refused(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    cluster.ask(m.IsPathSupported("x" * 5000))
    assert cluster.results == [HResult.E_UNEXPECTED]


def test_whoever_leads_itself_takes_what_was_held(cluster: Cluster) -> None:
    cluster.door.follow(LEADER, wire.VERSION)
    asked, lost = cluster.ask(ASK), cluster.ask(COMMIT)
    cluster.door.hold("node 0 has died")
    held = cluster.ask(COMMIT)
    assert cluster.door.release() == [asked, held]
    assert [opnum for opnum, _, _ in cluster.answers] == [lost.opnum]
    assert cluster.door.next_deadline() is None
