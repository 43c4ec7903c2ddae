"""Private metaphors do not come back: names are the field's own.

A name comes from the specification, from Unix and asyncio, from VSS or from the storage tool.
The words below were names here once, and meant nothing to anybody else. They are looked for as
whole parts of the names that the code defines (`_judge_all`, `BedOfTests`), of files, of the
keys of dictionaries, which become JSON, and of the events of the log.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.daemon.log.events import EVENTS
from tests.paths import ROOT

FOLDERS = ("benchmarks", "demo", "docs", "fsrvpd", "lab", "packaging", "samba_hooks", "src")
# As parts of names.
METAPHORS = """
    allowance bed beds bell circumstances clerk complaint complaints conversation crew dissolve
    distrust doom doomed doorkeeper elapse examination farewell finder foresee freshness furnish
    ground heed housekeeping introduction journey judge judged logins meet mend passable patience
    republish rope rung shelf site sought spread stirred stolen stray strays survey surveyor thief
    truth truths uncertain unwritten upkeep verbs verdict verdicts visitor walk walked wish
    withdraw zygote
"""
WORDS = frozenset(METAPHORS.split())
# As whole names of parameters and variables; inside of others they are plain English.
NAMES = {"of", "own", "then", "turn", "turns", "waits"}
# Names that are right although such a word is in them, each with the reason.
EXCEPTIONS: dict[str, str] = {}

FILES = sorted(
    path
    for folder in (*FOLDERS, "tests")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
SOURCES = [path for path in FILES if path.suffix == ".py"]
C_SOURCES = [path for path in FILES if path.suffix in (".c", ".h")]
NO_CODE_OF_C = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.)*"', re.DOTALL)
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("fsrvpd", "samba_hooks")]


def parts(name: str) -> list[str]:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", words) if word]


def is_wrong(name: str) -> bool:
    return bool(WORDS & set(parts(name))) and name not in EXCEPTIONS


def wrong_names(tree: ast.AST) -> set[str]:
    variables = {name for name in variables_of(tree) if name.strip("_") in NAMES}
    names = (*functions_of(tree), *variables_of(tree))
    return {name for name in names if is_wrong(name)} | variables


def functions_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name


def variables_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def keys(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_the_fields(path: Path) -> None:
    assert wrong_names(ast.parse(path.read_text())) == set()


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_keys_are_the_fields(path: Path) -> None:
    assert {name for name in keys(ast.parse(path.read_text())) if is_wrong(name)} == set()


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_in_c_are_the_fields(path: Path) -> None:
    names = re.findall(r"\b[A-Za-z_]\w*", NO_CODE_OF_C.sub("", path.read_text()))
    assert {name for name in names if is_wrong(name)} == set()


def test_files_have_names_of_the_field() -> None:
    assert [str(path.relative_to(ROOT)) for path in FILES if is_wrong(path.stem)] == []


def test_events_have_names_of_the_field() -> None:
    assert [name for _, name, *_ in EVENTS if is_wrong(name)] == []
