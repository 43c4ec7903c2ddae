"""Each layer imports only layers below it, by the table of layers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.layers import EVERYWHERE, MAY_IMPORT, PURE
from tests.modules import MODULES, dotted, imports, is_inside

IMPURE_MODULES = {
    *("asyncio", "concurrent", "fcntl", "io", "multiprocessing", "os", "pathlib", "random"),
    *("secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "subprocess"),
    *("tempfile", "threading", "time"),
}
NATIVE_NAMES = {"_native", "native", "ffi", "lib"}


def layer(module: str) -> str:
    """Return the row of the table for a module, or for a name imported from it."""
    return max((row for row in MAY_IMPORT if is_inside(module, row)), key=len, default="")


def is_pure(path: Path) -> bool:
    return any(is_inside(dotted(path), package) for package in PURE)


def ours(names: Iterator[str]) -> set[str]:
    """Return those of the imported names that are in a layer."""
    return {name for name in names if name.split(".")[0] in ("fsrvpd", "samba_hooks")}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_only_what_stands_below(path: Path) -> None:
    row = layer(dotted(path))
    allowed = MAY_IMPORT[row] | EVERYWHERE | {row}
    wrong = {name for name in ours(imports(path)) if layer(name) not in allowed}
    assert not wrong, f"{path} is in layer {row} and must not import {sorted(wrong)}"


@pytest.mark.parametrize("path", [p for p in MODULES if is_pure(p)], ids=str)
def test_pure_layers_do_no_io(path: Path) -> None:
    wrong = {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES
    assert not wrong, f"{path} must stay free of I/O and clocks, but imports {sorted(wrong)}"


@pytest.mark.parametrize("path", [p for p in MODULES if layer(dotted(p)) != "fsrvpd.core"], ids=str)
def test_only_the_core_package_touches_the_native_module(path: Path) -> None:
    wrong = {name for name in ours(imports(path)) if NATIVE_NAMES & set(name.split("."))}
    assert not wrong, f"{path} must go through fsrvpd.core, but imports {sorted(wrong)}"


def test_a_row_names_only_rows_above_it() -> None:
    rows = list(MAY_IMPORT)
    for number, (row, allowed) in enumerate(MAY_IMPORT.items()):
        wrong = allowed - set(rows[:number])
        assert not wrong, f"{row} names {sorted(wrong)}, which stand beside or above it"


def test_every_package_has_a_row() -> None:
    """A new package needs a row before it can be used, and so does a single module beside
    packages: some are below the packages and some above."""
    rooms = {dotted(path.parent / "__init__.py") for path in MODULES}
    mixed = {room.rpartition(".")[0] for room in rooms}
    beside = {
        dotted(path)
        for path in MODULES
        if path.name != "__init__.py" and dotted(path).rpartition(".")[0] in mixed
    }
    assert not (rooms | beside) - set(MAY_IMPORT)
