from __future__ import annotations

import pytest

from fsrvpd.providers.reflink.remarks import Remarks


def test_one_line_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    remarks = Remarks()
    for number in range(1000):
        remarks.add("is a device", f"/srv/{number}")
    remarks.add("was moved", "/srv/a")
    remarks.report()
    assert [record.getMessage() for record in caplog.records] == [
        "/srv/0 is a device (the same applies to 999 more)",
        "/srv/a was moved",
    ]
