"""One line for what failed, what is left, and what to do about it."""

from __future__ import annotations

from fsrvpd.requestor.errors import LEFT_SOMETHING, RequestorError
from fsrvpd.requestor.sets.left_behind import LeftBehind

REFUSED = RequestorError("nas", "it refuses", "ask it", result=5)
GONE = RequestorError("fs2", "it is gone", "start it")


def test_a_failure_and_what_is_left_after_it() -> None:
    error = LeftBehind(REFUSED, [GONE])
    assert str(error) == (
        "nas: it refuses; something was left: fs2: it is gone; start it; then type"
        " `fsrvpshadow clean`"
    )
    assert error.result == 5
    assert error.exit_status == LEFT_SOMETHING


def test_a_deletion_that_fails_is_said_once() -> None:
    assert str(LeftBehind(GONE, [GONE])) == (
        "fs2: it is gone; start it; then type `fsrvpshadow clean`"
    )


def test_a_failure_of_another_kind() -> None:
    assert "the set: ZeroDivisionError; something was left" in str(
        LeftBehind(ZeroDivisionError(), [GONE])
    )
