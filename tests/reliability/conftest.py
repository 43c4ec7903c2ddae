"""One harness for all tests of a module."""

from __future__ import annotations

from typing import Iterator

import pytest

pytest.register_assert_rewrite("tests.reliability.harness", "tests.reliability.assertions")

from tests.interop.nas import Nas  # noqa: E402 (after the line above)
from tests.reliability.harness import Harness, open_harness  # noqa: E402


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with open_harness() as opened:
        yield opened


@pytest.fixture(scope="module")
def nas(harness: Harness) -> Nas:
    """The harness's NAS, with the daemon running."""
    harness.daemon.start()
    return harness.nas
