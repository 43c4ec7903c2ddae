"""`docs/conformance.md` says what the tests prove. This file keeps it true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from tests.paths import TESTS

PAGE = TESTS.parent / "docs" / "conformance.md"
ROW = re.compile(
    r"^\| (?P<row>3\.[12][\d.]*-\d+) \| (?P<level>[^|]*) \| [^|]+ \| (?P<tests>[^|]*) \|$"
)
TEST_ID = re.compile(r"`([^`]+)`")


def rows() -> dict[str, list[str]]:
    """The tests that each row names."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text().splitlines():
        matched = ROW.match(line)
        if matched:
            assert matched["row"] not in found, f"row {matched['row']} stands there twice"
            found[matched["row"]] = TEST_ID.findall(matched["tests"])
    return found


def marks() -> list[tuple[str, str]]:
    """List every row that a test is marked with, and the test's id."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                test = f"{path.relative_to(TESTS)}::{node.name}"
                found += [(row, test) for row in map(spec_row, node.decorator_list) if row]
    return found


def spec_row(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.spec":
        row = ast.literal_eval(decorator.args[0])
        assert isinstance(row, str)
        return row
    return ""


def collected(files: set[str]) -> set[str]:
    """Ids of the tests that pytest finds in these files, parameters left out."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *sorted(files)], cwd=TESTS, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ids = (line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line)
    return {each.removeprefix("tests/") for each in ids}


def test_every_row_names_a_test() -> None:
    assert len(rows()) > 100
    assert not [row for row, tests in rows().items() if not tests]


def test_every_line_of_a_table_is_read() -> None:
    """A row that the pattern does not match would not be checked."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith(("| 3.1", "| 3.2"))]
    assert len(lines) == len(rows())


def test_rows_are_numbered_without_gaps() -> None:
    sections: dict[str, list[int]] = {}
    for row in rows():
        section, _, number = row.rpartition("-")
        sections.setdefault(section, []).append(int(number))
    for section, numbers in sections.items():
        assert numbers == list(range(1, len(numbers) + 1)), section


def test_every_mark_of_a_test_stands_in_its_row() -> None:
    table = rows()
    assert not [(row, test) for row, test in marks() if test not in table.get(row, [])]


def test_every_test_that_is_named_is_collected() -> None:
    named = {test for tests in rows().values() for test in tests}
    assert not named - collected({test.partition("::")[0] for test in named})


def test_every_deviation_is_referred_to_and_explained() -> None:
    text = PAGE.read_text()
    explained = re.findall(r"^\| (D\d+) \|", text, re.MULTILINE)
    assert explained == [f"D{number}" for number in range(1, len(explained) + 1)]
    assert set(re.findall(r"\[(D\d+)\]\(#deviations\)", text)) == set(explained)
