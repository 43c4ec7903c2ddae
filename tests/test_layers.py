"""Each layer imports only what stands below it. This file is the rule.

A package may import itself, what its row names, and `fsrvpd.errors`; `PURE` packages
touch nothing that does I/O or knows the time; and one package touches the C core.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).parent.parent
EVERYWHERE = {"fsrvpd.errors"}
MAY_IMPORT = {
    "fsrvpd": set(),
    "fsrvpd.errors": set(),
    "fsrvpd.core": set(),
    "fsrvpd.protocol": {"fsrvpd.core"},
    "fsrvpd.rpc": {"fsrvpd.core", "fsrvpd.protocol"},
    "fsrvpd.store": {"fsrvpd.core", "fsrvpd.protocol"},
    "fsrvpd.providers": {"fsrvpd.core", "fsrvpd.protocol"},
    "fsrvpd.volumes": {"fsrvpd.core", "fsrvpd.protocol"},
    "samba_hooks": {"fsrvpd.core", "fsrvpd.protocol"},
    "fsrvpd.command_line": {"fsrvpd", "fsrvpd.core", "samba_hooks"},
    "fsrvpd.options": {"fsrvpd.protocol", "fsrvpd.rpc"},
    "fsrvpd.configuration": {"fsrvpd", "fsrvpd.options", "samba_hooks"},
    "fsrvpd.daemon": {
        "fsrvpd",
        "fsrvpd.command_line",
        "fsrvpd.configuration",
        "fsrvpd.core",
        "fsrvpd.options",
        "fsrvpd.protocol",
        "fsrvpd.rpc",
        "fsrvpd.store",
        "fsrvpd.providers",
        "fsrvpd.volumes",
        "samba_hooks",
    },
    "fsrvpd.ctl": {
        "fsrvpd",
        "fsrvpd.command_line",
        "fsrvpd.configuration",
        "fsrvpd.core",
        "fsrvpd.options",
        "fsrvpd.protocol",
        "fsrvpd.providers",
        "fsrvpd.volumes",
        "samba_hooks",
    },
}
PURE = {"fsrvpd.errors", "fsrvpd.protocol", "fsrvpd.rpc"}
IMPURE_MODULES = {
    "asyncio",
    "concurrent",
    "fcntl",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
NATIVE_NAMES = {"_native", "ffi", "lib"}

MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("fsrvpd", "samba_hooks")
    for path in (ROOT / package).rglob("*.py")
)


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> str:
    """The row of the table that rules a module, or a name imported from it."""
    rows = [row for row in MAY_IMPORT if module == row or module.startswith(row + ".")]
    return max(rows, key=len, default="")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; `from a import b` yields a.b."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(names: Iterator[str]) -> set[str]:
    """Those of the imported names that lie in a layer."""
    return {name for name in names if name.split(".")[0] in ("fsrvpd", "samba_hooks")}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_only_what_stands_below(path: Path) -> None:
    own = layer(dotted(path))
    allowed = MAY_IMPORT[own] | EVERYWHERE | {own}
    wrong = {name for name in ours(imports(path)) if layer(name) not in allowed}
    assert not wrong, f"{path} is in layer {own} and must not import {sorted(wrong)}"


@pytest.mark.parametrize("path", [p for p in MODULES if layer(dotted(p)) in PURE], ids=str)
def test_pure_layers_do_no_io(path: Path) -> None:
    wrong = {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES
    assert not wrong, f"{path} must stay free of I/O and clocks, but imports {sorted(wrong)}"


@pytest.mark.parametrize("path", [p for p in MODULES if layer(dotted(p)) != "fsrvpd.core"], ids=str)
def test_only_the_core_package_touches_the_native_module(path: Path) -> None:
    wrong = {name for name in ours(imports(path)) if NATIVE_NAMES & set(name.split("."))}
    assert not wrong, f"{path} must go through fsrvpd.core, but imports {sorted(wrong)}"


def test_every_module_has_a_layer() -> None:
    """A new package must find its row before it can be used."""
    strays = {
        dotted(path) for path in MODULES if layer(dotted(path)) == "fsrvpd" and len(path.parts) > 2
    }
    assert not strays
