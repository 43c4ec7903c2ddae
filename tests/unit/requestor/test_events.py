"""Every event that is reported has a meaning, here and in the documentation."""

from __future__ import annotations

import ast

from fsrvpd.requestor.events import EVENTS, Event, ignore
from tests.paths import PACKAGE, ROOT

PAGE = ROOT / "docs" / "requestor-library.md"
FOLDERS = [PACKAGE / "requestor" / name for name in ("sets", "writers")]


def reported() -> set[str]:
    """Texts in the code that look like the name of an event."""
    found = set()
    for path in (path for folder in FOLDERS for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = ast.unparse(node.func)
                if called in ("Event", "self._tell", "self._all"):
                    found.add(str(node.args[0].value))
    return found


def test_every_event_has_a_meaning_and_every_meaning_an_event() -> None:
    assert reported() == set(EVENTS)


def test_the_documentation_has_the_same_table() -> None:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in EVENTS.items()]
    assert "\n".join(rows) in PAGE.read_text()


def test_nothing_needs_to_be_reported() -> None:
    assert ignore(Event("waiting", "", {})) is None  # type: ignore[func-returns-value]
