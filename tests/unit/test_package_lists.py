"""Which package has which module: the lists in packaging/modules, against what the modules import.

The agent and the requestor are installed on different hosts, each beside `python3-fsrvpd-core`.
"""

from __future__ import annotations

from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import pytest

from tests.modules import MODULES, dotted, imports
from tests.paths import ROOT

CORE, AGENT, REQUESTOR = "python3-fsrvpd-core", "fsrvpd", "fsrvpshadow"
LISTS = {
    path.name: [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for path in (ROOT / "packaging/modules").iterdir()
}
BY_NAME = {dotted(path): path for path in MODULES}


def matches(path: Path, line: str) -> bool:
    return fnmatch(str(path), f"{line}*" if line.endswith("/") else line)


@lru_cache(None)
def packages_of(path: Path) -> list[str]:
    return [name for name, lines in LISTS.items() if any(matches(path, line) for line in lines)]


@lru_cache(None)
def imported(path: Path) -> set[Path]:
    """The modules of ours that one imports, with the packages around each."""
    found = set()
    for name in imports(path):
        while name:
            found |= {BY_NAME[name]} if name in BY_NAME else set()
            name = name.rpartition(".")[0]
    return found


def test_the_lists_are_those_of_three_packages() -> None:
    assert set(LISTS) == {CORE, AGENT, REQUESTOR}


@pytest.mark.parametrize("path", [*MODULES, *map(Path, ("fsrvpd/py.typed",))], ids=str)
def test_each_module_is_in_one_package(path: Path) -> None:
    assert len(packages_of(path)) == 1, "name it in one of packaging/modules"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_imports_what_is_installed_beside_it(path: Path) -> None:
    [package] = packages_of(path)
    wrong = {str(each) for each in imported(path) if packages_of(each)[0] not in (package, CORE)}
    assert not wrong, f"{path} is in {package}: move what it imports to {CORE} in packaging/modules"


@pytest.mark.parametrize("line", [line for line in LISTS[CORE] if line.endswith(("/", ".py"))])
def test_both_sides_need_what_both_get(line: str) -> None:
    for side, other in ((AGENT, REQUESTOR), (REQUESTOR, AGENT)):
        needed = any(matches(path, line) for path in reached(side)) or "dist-info" in line
        assert needed, f"{other} alone needs it: move it to packaging/modules/{other}"


@lru_cache(None)
def reached(side: str) -> set[Path]:
    """All that a side imports, and what that imports."""
    found: set[Path] = set()
    waiting = {path for path in MODULES if packages_of(path) == [side]}
    while waiting:
        found |= waiting
        waiting = {each for path in waiting for each in imported(path)} - found
    return found
