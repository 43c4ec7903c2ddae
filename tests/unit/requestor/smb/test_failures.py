from __future__ import annotations

import pytest
from smbprotocol.exceptions import SMBAuthenticationError, SMBConnectionClosed, SMBResponseException
from smbprotocol.header import SMB2HeaderResponse

from fsrvpd.requestor.errors import AccessRefused, Disconnected, NoAgent, RequestorError
from fsrvpd.requestor.smb import failures
from fsrvpd.requestor.smb.connection import TimedOut


def answered(status: int) -> SMBResponseException:
    header = SMB2HeaderResponse()
    header["status"] = status
    return SMBResponseException(header)


@pytest.mark.parametrize(
    ("status", "meanings", "kind", "line"),
    [
        (0xC000006D, failures.LOGIN, AccessRefused, "the user name or the password is wrong"),
        (0xC0000234, failures.LOGIN, AccessRefused, "the account is locked out; unlock it"),
        (0xC00000CC, failures.SHARE, RequestorError, "there is no such share"),
        (0xC0000022, failures.SHARE, AccessRefused, "may not use this share"),
        (0xC00000AC, failures.PIPE, NoAgent, "no agent of MS-FSRVP"),
        (0xC0000034, failures.PIPE, NoAgent, "start fsrvpd there"),
        (0xC0000236, failures.PIPE, NoAgent, "start fsrvpd there"),
        (0xC000014B, None, Disconnected, "STATUS_PIPE_BROKEN (0xc000014b)"),
        (0xC00000CC, failures.PIPE, Disconnected, "STATUS_BAD_NETWORK_NAME"),
        (0xCBADCBAD, None, Disconnected, "0xcbadcbad"),
    ],
)
def test_a_status_says_what_to_do(
    status: int, meanings: object, kind: type[RequestorError], line: str
) -> None:
    error = failures.failure("nas", answered(status), meanings)  # type: ignore[arg-type]
    assert type(error) is kind
    assert line in str(error)
    assert str(error).startswith("nas: ")
    assert error.result == status
    assert error.exit_status == 1


@pytest.mark.parametrize(
    ("raised", "kind", "line"),
    [
        (TimedOut("the answer did not come in time"), Disconnected, "overloaded"),
        (SMBConnectionClosed("SMB socket was closed"), Disconnected, "the connection broke"),
        (SMBAuthenticationError("no\nticket"), AccessRefused, "no ticket; check the ticket"),
        (KeyError(7), Disconnected, "the connection broke: 7"),
        (ValueError(), Disconnected, "ValueError"),
    ],
)
def test_what_is_no_status(raised: Exception, kind: type[RequestorError], line: str) -> None:
    error = failures.failure("nas", raised)
    assert type(error) is kind
    assert line in str(error)
    assert error.result is None


def test_ours_stay_as_they_are() -> None:
    error = NoAgent("nas", "a", "b")
    assert failures.failure("x", error) is error


def test_a_host_that_cannot_be_reached() -> None:
    error = failures.unreachable("nas", ValueError("Failed to connect"))
    assert isinstance(error, Disconnected)
    assert str(error).startswith("nas: it cannot be reached: Failed to connect; check its name")
