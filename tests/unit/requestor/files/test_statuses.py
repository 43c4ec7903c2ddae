"""Statuses as errno and words."""

from __future__ import annotations

import errno

import pytest

from fsrvpd.requestor.files import statuses


@pytest.mark.parametrize(
    ("status", "number"),
    [
        (statuses.ACCESS_DENIED, errno.EACCES),
        (0xC0000034, errno.ENOENT),
        (0xC000003A, errno.ENOENT),
        (0xC000007F, errno.ENOSPC),
        (0x8000002D, errno.ELOOP),
        (0xC00000BA, errno.EISDIR),
        (0xC0DEC0DE, errno.EIO),
    ],
)
def test_errno(status: int, number: int) -> None:
    failure = statuses.failure(r"\\nas\data\a", status)
    assert (failure.errno, failure.result) == (number, status)
    assert failure.object == r"\\nas\data\a"


def test_an_unknown_status_is_shown() -> None:
    assert "0xc0dec0de" in str(statuses.failure("x", 0xC0DEC0DE))
