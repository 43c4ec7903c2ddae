from __future__ import annotations

import pytest

from fsrvpd.protocol.model import shadow_copy_share_name
from tests.unit.protocol.server.driver import guid


@pytest.mark.spec("3.1.4.6-4")
@pytest.mark.spec("3.1.4.6-15")
@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ("data", "data@{00000000-0000-0000-0000-00000000000A}"),
        ("data$", "data$@{00000000-0000-0000-0000-00000000000A}$"),
        ("a@{b}", "a@{b}@{00000000-0000-0000-0000-00000000000A}"),
        ("Büro Köln", "Büro Köln@{00000000-0000-0000-0000-00000000000A}"),
    ],
)
def test_the_name_of_a_shadow_copy_share(share: str, expected: str) -> None:
    assert shadow_copy_share_name(share, guid(10)) == expected
