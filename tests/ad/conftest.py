"""One domain for all tests of the package: it takes ten seconds to stand."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.ad.site import Site, open_site
from tests.lab import Lab


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with Lab() as lab, open_site(lab) as opened:
        yield opened
