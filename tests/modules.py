"""The product's modules, what they import, and the test files with their names."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

from tests.paths import ROOT, TESTS

PACKAGES = ("fsrvpd", "samba_hooks")
MODULES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)


def with_code() -> list[str]:
    """List modules that have functions, as paths in the tree."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found if lines_of_functions(path))


def lines_of_functions(path: Path) -> set[int]:
    """Return the lines that run on a call, not on the import of the module."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                if not _is_docstring(statement):
                    found.update(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return found


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_of_its_name(module: str) -> Path:
    """Return the path of a module's unit test, whether it exists or not."""
    path = Path(module)
    inside = path.parent.relative_to("fsrvpd") if path.parts[0] == "fsrvpd" else path.parent
    name = path.parent.name if path.stem == "__init__" else path.stem.strip("_")
    return TESTS / "unit" / inside / f"test_{name}.py"


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, anywhere in it; `from a import b` yields a.b."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
