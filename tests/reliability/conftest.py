"""One bed for all tests of a module."""

from __future__ import annotations

from typing import Iterator

import pytest

pytest.register_assert_rewrite("tests.reliability.bed", "tests.reliability.judge")

from tests.interop.site import Site  # noqa: E402 (after the line above)
from tests.reliability.bed import Bed, open_bed  # noqa: E402


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with open_bed() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(bed: Bed) -> Site:
    """The bed's, with the daemon running."""
    bed.daemon.start()
    return bed.site
