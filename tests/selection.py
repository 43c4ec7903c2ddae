"""Groups of tests, their order, and markers for what each test needs.

Under pytest-xdist (`pytest -n 2`) a whole group runs in one worker. Tests of a file share its
expensive fixtures, such as a NAS; those of a package share a domain. A test without a group may
run in any worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

TESTS = Path(__file__).parent
# Folders and files, and the markers of all tests in them.
MARKS = {
    "ad": ("root", "samba", "slow"),
    "cluster": ("root", "samba", "slow"),
    "cockpit": ("root", "samba"),
    "contract/providers": ("root",),
    "contract/providers/test_lvm.py": ("emulated",),
    "contract/providers/test_zfs.py": ("emulated",),
    "contract/samba": ("root", "samba"),
    "interop": ("root", "samba"),
    "interop/test_admin_package.py": ("slow",),
    "interop/test_admin_packages.py": ("slow",),
    "interop/test_admin_rpm.py": ("slow",),
    "interop/test_admin_systemd.py": ("slow",),
    "interop/test_admin_wheel.py": ("slow",),
    "interop/test_permission_matrix.py": ("slow",),
    "reliability": ("root", "samba"),
    "requestor": ("root", "samba"),
    "reliability/test_crashes.py": ("slow",),
    "versions": ("root", "samba", "slow"),
    "wheels": ("root", "emulated", "slow"),
}
# One worker for all tests of a folder, of a file, or for each test. The default is a file.
ONE_GROUP = ("ad", "cluster")
NO_GROUP = ("contract/providers", "fuzz")
# The longest tests start first, so that no worker runs one alone at the end. Unit tests are short
# and fill the gaps.
LONGEST_FIRST = (
    "reliability/test_crashes.py",
    "ad/",
    "interop/test_admin_",
    "reliability/",
    "interop/",
    "requestor/",
    "contract/",
    "fuzz/",
)


def arrange(items: list[pytest.Item]) -> None:
    """Mark and order the collected tests."""
    for item in items:
        path = _path(item)
        for name, markers in MARKS.items():
            if path == name or path.startswith(f"{name}/"):
                for marker in markers:
                    item.add_marker(marker)
        if "btrfs" in getattr(item, "fixturenames", ()):  # of tests/unit/core, on a real one
            item.add_marker("root")
    items.sort(key=_position)


def leave_out(config: pytest.Config, items: list[pytest.Item], spec: Optional[str]) -> None:
    """Keep the tests that prove a row, or a section, of docs/conformance.md."""
    if not spec:
        return
    chosen = [item for item in items if _proves(item, spec)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _proves(item: pytest.Item, spec: str) -> bool:
    rows = [str(mark.args[0]) for mark in item.iter_markers("spec")]
    return any(spec in (row, row.partition("-")[0]) for row in rows)


def _path(item: pytest.Item) -> str:
    return str(item.path.relative_to(TESTS)) if TESTS in item.path.parents else str(item.path)


def group_of(nodeid: str) -> str:
    """Return the group of a test by its id, which begins with tests/."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    for folder in ONE_GROUP:
        if path.startswith(f"{folder}/"):
            return folder
    return nodeid if path.startswith(tuple(f"{each}/" for each in NO_GROUP)) else path


def _position(item: pytest.Item) -> int:
    path = _path(item)
    found = (n for n, name in enumerate(LONGEST_FIRST) if path.startswith(name))
    return next(found, len(LONGEST_FIRST))
