"""One site for all tests of a module, as in tests/interop."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.interop.site import Site, open_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened
