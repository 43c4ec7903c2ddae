"""One bed for all tests of a module."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.interop.site import Site
from tests.reliability.bed import Bed, open_bed


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with open_bed() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(bed: Bed) -> Site:
    """The bed's, with the daemon running."""
    bed.daemon.start()
    return bed.site
