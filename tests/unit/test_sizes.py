"""Files and functions stay small enough to be read."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.paths import ROOT

COCKPIT = "cockpit/src"  # beside it are the packages that npm installs
LINES_OF_A_FILE = 450
LINES_OF_A_FUNCTION = 60
FOLDERS = (
    "benchmarks",
    "cockpit/src",
    "demo",
    "docs",
    "fsrvpd",
    "lab",
    "samba_hooks",
    "src",
    "tests",
)
SUFFIXES = (".py", ".c", ".h", ".ts", ".tsx")


def files() -> list[Path]:
    return sorted(
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES
    )


def test_no_file_is_too_long() -> None:
    counted = {path: len(path.read_text().splitlines()) for path in files()}
    assert {str(path): lines for path, lines in counted.items() if lines > LINES_OF_A_FILE} == {}


def test_no_function_in_c_is_too_long() -> None:
    """A body begins after a line at the margin that ends in a brace, as clang-format has it."""
    found, begun = {}, 0
    for path in files():
        if path.suffix in (".c", ".h"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if line.endswith("{") and not line.startswith((" ", "\t")):
                    begun = number
                elif line.startswith("}"):
                    found[f"{path.relative_to(ROOT)}:{begun}"] = number - begun + 1
    assert len(found) > 100
    assert {name: lines for name, lines in found.items() if lines > LINES_OF_A_FUNCTION} == {}


def test_no_function_is_too_long() -> None:
    found = {}
    for path in files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    length = (node.end_lineno or 0) - node.lineno + 1
                    found[f"{path.relative_to(ROOT)}: {node.name}"] = length
    assert {name: lines for name, lines in found.items() if lines > LINES_OF_A_FUNCTION} == {}
