"""The wheel that is installed on all releases."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from tests.versions.releases import build_wheel


@pytest.fixture(scope="session")
def wheel(once_a_run: Callable[..., Path]) -> Path:
    """Build it once: builds at the same time share `build/` in the tree, and damage each other."""
    [found] = once_a_run("wheel", build_wheel).glob("fsrvpd-*.whl")
    return found
