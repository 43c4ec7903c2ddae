"""One contract that every `StateStore` keeps. A test file for each store makes a class of it."""

from __future__ import annotations

from typing import Mapping, Optional, Protocol, Sequence

import pytest

from fsrvpd.core.messages import Guid
from fsrvpd.errors import StoreError

ONE, TWO = Guid(bytes(15) + b"\x01"), Guid(bytes(15) + b"\x02")
Changes = Sequence[tuple[Guid, Optional[str]]]


class StoreHarness(Protocol):
    """A store of one agent at a time."""

    @property
    def id(self) -> str:
        """Of what is stored, whichever agent writes it."""

    def submit(self, changes: Changes, *, durable: bool = True) -> None:
        """Wait until it is done. Raises: StoreError."""

    def submit_all(self, submissions: Sequence[Changes]) -> list[int]:
        """Submit without waiting, then wait. Returns their numbers in the order in which they
        were done. Raises: StoreError."""

    def load(self) -> Mapping[Guid, str]:
        """What this agent reads."""

    def keep(self, changes: Mapping[str, Optional[bool]]) -> None:
        """Raises: StoreError."""

    def kept(self) -> Mapping[str, bool]:
        """What this agent reads."""

    def restart(self) -> None:
        """End the agent without closing its store, and start another."""

    def start_rival(self) -> None:
        """Start another agent that wants to write, too. Raises: StoreError if it may not."""


class StoreContract:
    def test_a_new_store_is_empty(self, harness: StoreHarness) -> None:
        assert dict(harness.load()) == {}
        assert dict(harness.kept()) == {}

    @pytest.mark.spec("3.1.4-5")
    def test_documents_are_written_replaced_and_forgotten(self, harness: StoreHarness) -> None:
        harness.submit([(ONE, "first"), (TWO, "ä\u2603")])
        harness.submit([(ONE, "second")])
        assert dict(harness.load()) == {ONE: "second", TWO: "ä\u2603"}
        harness.submit([(TWO, None), (Guid(bytes(16)), None)])
        assert dict(harness.load()) == {ONE: "second"}
        harness.restart()
        assert dict(harness.load()) == {ONE: "second"}
        harness.submit([(TWO, "again")])
        assert dict(harness.load()) == {ONE: "second", TWO: "again"}

    def test_what_need_not_be_durable_outlives_the_process(self, harness: StoreHarness) -> None:
        harness.submit([(ONE, "first")], durable=False)
        harness.restart()
        assert dict(harness.load()) == {ONE: "first"}

    def test_changes_are_made_in_their_order(self, harness: StoreHarness) -> None:
        harness.submit([(ONE, "a"), (ONE, None), (TWO, None), (TWO, "b")])
        assert dict(harness.load()) == {TWO: "b"}

    def test_submissions_are_done_in_their_order(self, harness: StoreHarness) -> None:
        numbers = range(20)
        done = harness.submit_all([[(ONE, str(number))] for number in numbers])
        assert done == list(numbers)
        assert dict(harness.load()) == {ONE: "19"}

    def test_many_documents_and_large_ones(self, harness: StoreHarness) -> None:
        many = {Guid(number.to_bytes(16, "big")): "x" * 1500 for number in range(1000)}
        many[ONE] = "y" * (1 << 20)
        harness.submit(list(many.items()))
        harness.restart()
        assert dict(harness.load()) == many

    def test_the_id_is_that_of_what_is_stored(self, harness: StoreHarness) -> None:
        first = harness.id
        assert len(first) == 36
        harness.restart()
        assert harness.id == first

    def test_what_an_admin_keeps_is_durable(self, harness: StoreHarness) -> None:
        harness.keep({"{1}": True, "{2}": True, "{3}": False})
        harness.keep({"{1}": None, "{2}": False})
        harness.restart()
        assert dict(harness.kept()) == {"{2}": False, "{3}": False}
        assert dict(harness.load()) == {}

    def test_only_one_of_two_agents_writes(self, harness: StoreHarness) -> None:
        harness.submit([(ONE, "before")])
        try:
            harness.start_rival()
        except StoreError:
            harness.submit([(ONE, "after")])
            assert dict(harness.load()) == {ONE: "after"}
        else:
            with pytest.raises(StoreError):
                harness.submit([(ONE, "after")])
            assert dict(harness.load()) == {ONE: "before"}
