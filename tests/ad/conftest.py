"""One domain for all tests of the package, since it takes ten seconds to start."""

from __future__ import annotations

from typing import Iterator

import pytest

from lab import Lab
from tests.ad.nas import Nas, open_nas


@pytest.fixture(scope="package")
def nas() -> Iterator[Nas]:
    with Lab() as lab, open_nas(lab) as opened:
        yield opened
