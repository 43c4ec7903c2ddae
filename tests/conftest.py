"""What every test run tells first, and what it must not leave on the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from typing import Iterator

import pytest
from hypothesis import HealthCheck, settings

from fsrvpd import core
from tests.lab import leftovers, namespaces
from tests.lab.daemon import SCRIPTS

# How long an example takes says something of the machine's load, nothing of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TOOLS = {
    "samba": ["smbd", "-V"],
    "smbtorture": ["smbtorture", "-V"],
    "btrfs": ["mkfs.btrfs", "--version"],
    "xfs": ["mkfs.xfs", "-V"],
}


def pytest_report_header() -> list[str]:
    tools = ", ".join(f"{name}: {first_line(argv)}" for name, argv in TOOLS.items())
    return [
        f"fsrvpd {version('fsrvpd')} ({core.describe()}); in labs {SCRIPTS}",
        f"linux {platform.release()}, {tools}",
    ]


def first_line(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return "not installed"
    return (done.stdout + done.stderr).strip().partition("\n")[0]


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_on_the_machine() -> Iterator[None]:
    yield
    left = leftovers.with_prefix(namespaces.prefix(os.getpid()))
    assert not left, f"the tests left on the machine: {sorted(left)}"
