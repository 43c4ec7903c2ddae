"""`docs/permissions.md` lists what a copy does not inherit. This file keeps the lists true."""

from __future__ import annotations

import re
from pathlib import Path

from samba_hooks import inheritance

PAGE = Path(__file__).parents[3] / "docs" / "permissions.md"
FIRST_CELL = re.compile(r"^\| `([^`]+)` \|")


def tables() -> dict[str, list[str]]:
    """The first cells of every table, by the heading of the table."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        cell = FIRST_CELL.match(line)
        if cell:
            found[heading].append(cell[1])
        elif line.startswith("| ---"):
            found[heading] = []
        elif line.startswith("| "):
            heading = line.strip("| ")
    return found


def test_every_list_is_that_of_the_code() -> None:
    namespaces = [f"{each}:" for each in sorted(inheritance.NOT_INHERITED_NAMESPACES)]
    expected = {
        "parameter | in the copy": sorted(inheritance.NOT_INHERITED),
        "parameter | why": sorted(inheritance.NEUTRAL),
        "script | kept with": sorted(inheritance.GATES),
        "module": sorted(inheritance.NOT_INHERITED_MODULES),
        "options": namespaces,
        "option": sorted(inheritance.NOT_INHERITED_OPTIONS),
    }
    assert {heading: sorted(cells) for heading, cells in tables().items()} == expected


def test_the_gates_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    for script, gate in inheritance.GATES.items():
        assert f"| `{script}` | `{gate}` |" in text
