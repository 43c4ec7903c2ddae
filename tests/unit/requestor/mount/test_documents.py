from __future__ import annotations

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.documents import (
    MOUNTED,
    Order,
    failure_from_line,
    failure_to_line,
    order_from_line,
    order_to_line,
)


def test_an_order_arrives_as_it_was_given() -> None:
    order = Order(
        host="nas",
        share="data@{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}",
        live_share="data",
        prefix="a\\b",
        point="/run/x/mnt/job/data",
        problems="/var/lib/x",
        user="NAS\\backup",
        password='quote" \n ü',
        kerberos=False,
        encrypt=True,
    )
    line = order_to_line(order)
    assert line.count(b"\n") == 1
    assert order_from_line(line) == order


def test_a_failure_arrives_with_all_it_says() -> None:
    error = RequestorError("\\\\nas\\data", "refused", "ask", result=5, exit_status=4)
    found = failure_from_line(failure_to_line(error))
    assert found is not None
    assert str(found) == str(error)
    assert (found.result, found.exit_status) == (5, 4)
    assert failure_from_line(MOUNTED) is None
