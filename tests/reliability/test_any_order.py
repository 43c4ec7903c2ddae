"""Clients, crashes and faults in any order, against a model of the protocol.

The daemon, its store, its registry and its disks are real. Only smbd is left out, so that many
calls fit into a second. `make soak` runs this for a long time.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play

from fsrvpd.core.messages import Opnum, format_guid
from fsrvpd.protocol import context
from fsrvpd.protocol.hresult import HResult
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE
from tests.interop.raw_agent import SOME_GUID, result_of, wide
from tests.reliability.fault_injection.fault_points import AFTER, BEFORE, ERROR, KILL, Plan
from tests.reliability.harness import Harness, assert_in_order, is_busy, start_over
from tests.reliability.pipe_agent import PipeAgent

SOAK = int(os.environ.get("FSRVPD_SOAK", "0"))
ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::3")
VOLUME = {TORTURE_SHARE: "projects", "vault": "vault", "deep": "more", "with space": "more"}
CONTEXTS = (context.CTX_BACKUP, context.CTX_APP_ROLLBACK | context.ATTR_AUTO_RECOVERY)
RETRIES = 5
SINGLE = (
    "set_context",
    "start",
    "add",
    "prepare",
    "commit",
    "expose",
    "recover",
    "abort",
)
PUBLISHED = ("Committed", "Exposed", "Recovered")
LOST = -1  # the result of a call during which the daemon died
FAULT_POINTS = (
    "store.apply",
    "btrfs.create",
    "btrfs.delete",
    "btrfs.seal",
    "reflink.create",
    "reflink.delete",
    "exports.make",
    "exports.end_writing",
    "exports.remove",
    "exports.remove_snapshot",
    "registry.expose",
    "registry.seal",
    "registry.unexpose",
)
ENDING = (Opnum.AbortShadowCopySet, Opnum.SetContext, Opnum.DeleteShareMapping)
LEADS_TO: dict[Optional[Opnum], str] = {
    Opnum.CommitShadowCopySet: "Committed",
    Opnum.ExposeShadowCopySet: "Exposed",
    Opnum.RecoveryCompleteShadowCopySet: "Recovered",
}
OK = frozenset({int(HResult.ZERO)})
BAD_STATE = frozenset({int(HResult.FSRVP_E_BAD_STATE)})
IN_PROGRESS = frozenset({int(HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS)})
MISMATCH = frozenset({int(HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH)})

plans = st.builds(
    Plan,
    st.builds("{}#{}".format, st.sampled_from(FAULT_POINTS), st.integers(1, 3)),
    st.sampled_from([BEFORE, AFTER]),
    st.sampled_from([KILL, ERROR]),
)
addresses = st.sampled_from(ADDRESSES)
shares = st.sampled_from(sorted(VOLUME))


@dataclass
class Set:
    set_id: bytes
    status: str = "Started"
    copies: dict[str, bytes] = field(default_factory=dict)  # by share

    @property
    def name(self) -> str:
        return format_guid(self.set_id)


@dataclass
class Client:
    """The model of one client.

    `retries` counts the retries in its creation session; it is None without a session. `sets`
    holds all its sets, and `current` is the one that the session creates.
    """

    address: str
    agent: Optional[PipeAgent] = None
    retries: Optional[int] = None
    current: Optional[Set] = None
    sets: list[Set] = field(default_factory=list)


class Play(RuleBasedStateMachine):
    harness: Harness
    tally: ClassVar[Counter[str]] = Counter()

    @initialize(plan=st.none() | plans)
    def open(self, plan: Optional[Plan]) -> None:
        if self.harness.daemon.is_alive():
            start_over(self.harness)
        self.harness.daemon.start(plan or Plan())
        self.clients = {address: Client(address) for address in ADDRESSES}

    def teardown(self) -> None:
        if self.harness.daemon.is_alive():
            self.harness.daemon.kill()
        self._revive(None)
        for client in self.clients.values():
            for each in list(client.sets):
                self._end(client, each)
            self._agent(client).hang_up()
        assert self.harness.daemon.ask("list-sets") == []
        assert_in_order(self.harness)
        self.harness.daemon.stop()

    # What clients do.

    def set_context(self, address: str, value: int) -> None:
        client = self.clients[address]
        retries = 0 if client.retries is None else client.retries + 1
        allowed = OK if retries <= RETRIES else IN_PROGRESS
        result = self._call(client, Opnum.SetContext, value.to_bytes(4, "little"), allowed)
        if result in (HResult.ZERO, HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS):
            if client.current is not None:
                client.sets.remove(client.current)
            client.current = None
            client.retries = retries if result == HResult.ZERO else None

    def start(self, address: str) -> None:
        client = self.clients[address]
        allowed = BAD_STATE if client.retries is None else IN_PROGRESS if client.current else OK
        if self._call(client, Opnum.StartShadowCopySet, SOME_GUID, allowed) == HResult.ZERO:
            client.current = Set(self.answer[:16])
            client.sets.append(client.current)

    def add(self, address: str, share: str) -> None:
        client = self.clients[address]
        expected = client.current
        allowed = self._allowed(expected, "Started", "Added")
        if (
            expected
            and allowed == OK
            and VOLUME[share] in {VOLUME[each] for each in expected.copies}
        ):
            allowed = frozenset({int(HResult.FSRVP_E_OBJECT_ALREADY_EXISTS)})
        stub = SOME_GUID + self._id(expected) + wide(f"\\\\LAB\\{share}\\")
        if self._call(client, Opnum.AddToShadowCopySet, stub, allowed) == HResult.ZERO:
            assert expected is not None
            expected.status = "Added"
            expected.copies[share] = self.answer[:16]

    def prepare(self, address: str) -> None:
        self._advance(address, Opnum.PrepareShadowCopySet, "Added", "Added")

    def commit(self, address: str) -> None:
        self._advance(address, Opnum.CommitShadowCopySet, "Added", "Committed")

    def expose(self, address: str) -> None:
        self._advance(address, Opnum.ExposeShadowCopySet, "Committed", "Exposed")

    def recover(self, address: str) -> None:
        client = self.clients[address]
        opnum = Opnum.RecoveryCompleteShadowCopySet
        if self._advance(address, opnum, "Exposed", "Recovered"):
            client.retries = client.current = None

    def abort(self, address: str) -> None:
        client = self.clients[address]
        expected = client.current
        allowed = OK if expected else MISMATCH
        if (
            self._call(client, Opnum.AbortShadowCopySet, self._id(expected), allowed)
            == HResult.ZERO
        ):
            assert expected is not None
            client.sets.remove(expected)
            client.retries = client.current = None

    @rule(address=addresses, name=st.sampled_from(SINGLE), share=shares)
    def single(self, address: str, name: str, share: str) -> None:
        """Make any call, in sequence or not."""
        if name == "add":
            self.add(address, share)
        elif name == "set_context":
            self.set_context(address, CONTEXTS[0])
        else:
            getattr(self, name)(address)

    @rule(address=addresses, steps=st.integers(1, 6), share=shares)
    def go_on(self, address: str, steps: int, share: str) -> None:
        """Make the next calls of the right sequence: random calls alone seldom complete a set."""
        for _ in range(steps):
            client = self.clients[address]
            expected = client.current
            if expected is None and client.sets:
                self._delete(client, client.sets[0], sorted(client.sets[0].copies)[0])
            elif expected is None:
                self.set_context(address, CONTEXTS[1])
                self.start(address)
            elif expected.status == "Started":
                self.add(address, share)
            else:
                {"Added": self.commit, "Committed": self.expose, "Exposed": self.recover}[
                    expected.status
                ](address)

    @rule(address=addresses, data=st.data())
    def delete(self, address: str, data: Any) -> None:
        client = self.clients[address]
        served = [each for each in client.sets if each.status in ("Exposed", "Recovered")]
        if served:
            expected = data.draw(st.sampled_from(served))
            share = data.draw(st.sampled_from(sorted(expected.copies)))
            self._delete(client, expected, share)

    @rule(address=addresses, data=st.data())
    def look(self, address: str, data: Any) -> None:
        """Check that earlier responses are still true."""
        client = self.clients[address]
        for expected in client.sets:
            if expected.status in ("Exposed", "Recovered"):
                for share, copy_id in expected.copies.items():
                    stub = copy_id + expected.set_id + wide(f"\\\\LAB\\{share}\\")
                    stub += bytes(-len(stub) % 4) + (1).to_bytes(4, "little")
                    self._call(client, Opnum.GetShareMapping, stub, OK)

    # Faults.

    @rule(address=addresses)
    def hang_up(self, address: str) -> None:
        client = self.clients[address]
        self._agent(client).hang_up()
        client.agent = None

    @rule(plan=st.none() | plans, orderly=st.booleans())
    @precondition(lambda self: any(client.sets for client in self.clients.values()))
    def restart(self, plan: Optional[Plan], orderly: bool) -> None:
        if orderly and not self.harness.daemon.struck():
            self.harness.daemon.stop()
        else:
            self.harness.daemon.kill()
        self._revive(plan)

    def _revive(self, plan: Optional[Plan], flying: Optional[tuple[Client, Opnum]] = None) -> None:
        """Restart the daemon; `flying` is the call that was not answered."""
        daemon = self.harness.daemon
        daemon.start(plan or Plan())
        wait_until("quiet, or a fault", lambda: daemon.struck() or not is_busy(self.harness))
        if daemon.struck():  # during the reconciliation at its start
            if daemon.is_alive():
                daemon.kill()
            daemon.start(Plan())
        for client in self.clients.values():
            if client.agent is not None:
                client.agent.hang_up()
            client.agent = None
        assert_in_order(self.harness)
        self._compare(flying)

    # Calls, and the comparison with the model.

    def _advance(self, address: str, opnum: Opnum, before: str, after: str) -> bool:
        client = self.clients[address]
        expected = client.current
        stub = self._id(expected)
        if opnum != Opnum.RecoveryCompleteShadowCopySet:
            stub += (60_000).to_bytes(4, "little")
        done = self._call(client, opnum, stub, self._allowed(expected, before)) == HResult.ZERO
        if done and expected is not None:
            expected.status = after
        return done

    def _delete(self, client: Client, expected: Set, share: str) -> None:
        stub = expected.set_id + expected.copies[share] + wide(f"\\\\LAB\\{share}\\")
        if self._call(client, Opnum.DeleteShareMapping, stub, OK) == HResult.ZERO:
            del expected.copies[share]
            if not expected.copies:
                client.sets.remove(expected)
                if expected is client.current:
                    client.retries = client.current = None

    def _end(self, client: Client, expected: Set) -> None:
        agent = self._agent(client)
        if expected.status == "Recovered":
            for share, copy_id in expected.copies.items():
                agent.delete(expected.set_id, copy_id, share)
        else:
            agent.must(Opnum.AbortShadowCopySet, expected.set_id)

    def _allowed(self, expected: Optional[Set], *statuses: str) -> frozenset[int]:
        if expected is None:
            return MISMATCH
        return OK if expected.status in statuses else BAD_STATE

    def _id(self, expected: Optional[Set]) -> bytes:
        return expected.set_id if expected else SOME_GUID

    def _call(self, client: Client, opnum: Opnum, stub: bytes, allowed: frozenset[int]) -> int:
        """Make a call and check that its result is allowed.

        Returns the result, or `LOST` if a fault happened; then the daemon was restarted and
        compared with the model.
        """
        daemon = self.harness.daemon
        try:
            self.answer = self._agent(client).call(opnum, stub)
        except ConnectionError:
            daemon.wait()
            assert daemon.struck(), "the daemon died by itself"
        else:
            result = result_of(self.answer)
            self.tally[f"{opnum.name} {'done' if result == HResult.ZERO else 'refused'}"] += 1
            if result in allowed:
                return result
            expected = [hex(each) for each in allowed]
            assert daemon.struck(), f"{opnum.name}: {result:#010x} instead of {expected}"
            assert result != HResult.ZERO
            daemon.kill()
        self.tally[f"{opnum.name} met a fault"] += 1
        self._revive(None, (client, opnum))
        return LOST

    def _agent(self, client: Client) -> PipeAgent:
        if client.agent is None:
            client.agent = PipeAgent(self.harness.nas, client.address)
        return client.agent

    def _compare(self, flying: Optional[tuple[Client, Opnum]]) -> None:
        """Assert that after a restart everything promised exists, and nothing else.

        The unanswered call may have taken effect or not.
        """
        listed = {each["set"]: each for each in self.harness.daemon.ask("list-sets")}
        for client in self.clients.values():
            opnum = flying[1] if flying and flying[0] is client else None
            for expected in list(client.sets):
                held = listed.pop(expected.name, None)
                if held is None:
                    assert expected.status not in PUBLISHED or opnum in ENDING
                    client.sets.remove(expected)
                else:
                    _compare_set(expected, held, opnum)
            if client.current not in client.sets or client.current.status == "Recovered":
                client.current = None
            client.retries = 0 if client.current else None
        assert listed == {}


def _compare_set(expected: Set, held: Any, opnum: Optional[Opnum]) -> None:
    assert held["status"] in ({expected.status} & set(PUBLISHED)) | {
        LEADS_TO.get(opnum, expected.status)
    }
    assert held["status"] in PUBLISHED
    shares = {mapped["share"] for copy in held["copies"] for mapped in copy["shares"]}
    lost = set(expected.copies) - shares
    assert shares <= set(expected.copies)
    assert len(lost) <= int(opnum == Opnum.DeleteShareMapping)
    expected.status = held["status"]
    expected.copies = {share: expected.copies[share] for share in shares}


def test_any_order(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Play, "harness", harness, raising=False)
    play(
        Play,
        settings=settings(
            max_examples=SOAK or 5,
            stateful_step_count=40,
            deadline=None,
            derandomize=not SOAK,
            database=None,
            phases=[Phase.generate],  # shrinking would take hours
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print("", *(f"{number:6} {what}" for what, number in sorted(Play.tally.items())), sep="\n")
    assert Play.tally["RecoveryCompleteShadowCopySet done"]
    assert Play.tally["DeleteShareMapping done"]
