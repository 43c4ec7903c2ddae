"""The two tables are complete. Other files test the rows, method by method."""

from __future__ import annotations

import pytest

from docs import state_machine
from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.model import Status
from fsrvpd.protocol.server.method_rules import COMPLETIONS, METHODS
from fsrvpd.protocol.server.state_machine import Purpose


def test_every_method_has_a_row() -> None:
    assert set(METHODS) == set(Opnum)


def test_every_purpose_of_a_job_has_a_row() -> None:
    assert set(COMPLETIONS) == set(Purpose)


@pytest.mark.parametrize("opnum", METHODS, ids=lambda opnum: opnum.name)
def test_a_row_names_the_section_and_the_handler_of_its_method(opnum: Opnum) -> None:
    rule = METHODS[opnum]
    assert rule.section.startswith("3.1.4.")
    assert rule.handler.__name__.replace("_", "") == opnum.name.lower()


def test_the_sections_are_those_of_the_specification_in_its_order() -> None:
    numbers = [int(rule.section.rpartition(".")[2]) for rule in METHODS.values()]
    assert numbers == list(range(1, 14))


def test_every_status_can_be_reached_and_left() -> None:
    edges = state_machine.edges()
    assert {edge.end for edge in edges} == set(Status)
    left = {edge.start for edge in edges}
    left |= {s for rule in METHODS.values() if rule.removes for s in rule.permitted}
    assert left == {None, *Status}
