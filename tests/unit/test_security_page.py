"""`docs/security.md` says which tests show what an attacker can and cannot do."""

from __future__ import annotations

import re

from tests.paths import ROOT
from tests.unit.protocol.test_conformance import collected

PAGE = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| (?P<can>can|cannot) \| [^|]+ \| (?P<tests>[^|]+) \|$")
TEST_ID = re.compile(r"`([\w/.]+\.py::[\w:]+)`")


def rows() -> dict[str, list[tuple[str, list[str]]]]:
    """Return what each attacker can and cannot do, with the tests that show it."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        heading = line[3:] if line.startswith("## ") else heading
        if matched := ROW.match(line):
            tests = TEST_ID.findall(matched["tests"])
            found.setdefault(heading, []).append((matched["can"], tests))
    return found


def test_every_attacker_can_do_something_and_cannot_do_other_things() -> None:
    assert len(rows()) >= 8
    one_sided = [who for who, found in rows().items() if len({can for can, _ in found}) < 2]
    assert one_sided == []


def test_every_line_of_a_table_names_tests() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| can")]
    assert len(lines) == sum(map(len, rows().values()))
    assert all(tests for found in rows().values() for _, tests in found)


def test_every_test_that_is_named_is_collected() -> None:
    named = set(TEST_ID.findall(PAGE.read_text()))
    assert named - collected({test.partition("::")[0] for test in named}) == set()
