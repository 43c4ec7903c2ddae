"""One domain for all tests of the package, since it takes ten seconds to start."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Iterator

import pytest

from lab import Lab
from tests.ad.nas import Nas, open_nas
from tests.requestor.file_servers import DIALECTS


@pytest.fixture(scope="package")
def nas() -> Iterator[Nas]:
    with Lab() as lab, open_nas(lab) as opened:
        yield opened


@pytest.fixture(params=DIALECTS)
def agent(request: pytest.FixtureRequest, nas: Nas) -> Iterator[Nas]:
    """Our agent as it is by default, and as Windows' is."""
    options = DIALECTS[request.param]
    with nas.other_daemon(**options) if options else nullcontext(nas) as opened:
        yield opened
