"""-v: what was called, with which result."""

from __future__ import annotations

import re
from typing import Any, Optional

import pytest

from fsrvpd.core import messages
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.ctl.call_log import LoggingConnector
from fsrvpd.requestor.errors import Disconnected


class Connection:
    host = "nas"
    proved_names = frozenset({"nas", "nas.example"})
    uses_kerberos = False
    closed = False

    def __init__(self, result: Optional[int] = None) -> None:
        self._result = result

    def call(self, request: messages.Request, timeout: float = 180.0) -> messages.Response:
        if self._result is None:
            raise Disconnected("nas", "the connection broke", "try again")
        return messages.VersionResponse(self._result)

    def close(self) -> None:
        self.closed = True


class Connector:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def connect(self, host: str, *, deadline: Optional[float] = None) -> Any:
        return self._connection


@pytest.mark.parametrize(
    ("result", "shown"), [(0, "done"), (HResult.E_ACCESSDENIED, "E_ACCESSDENIED")]
)
def test_each_call_is_a_line(result: int, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    connection = LoggingConnector(Connector(Connection(result))).connect("nas")
    assert connection.call(messages.GetSupportedVersion()).result == result
    login, call = caplog.messages
    assert re.fullmatch(r"nas: logged in with NTLM, [\d.]+ ms; it proved nas, nas.example", login)
    assert re.fullmatch(rf"nas: GetSupportedVersion: {shown}, [\d.]+ ms", call)


def test_a_name_that_the_server_sent_makes_no_line_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    hostile = Connection(0)
    hostile.proved_names = frozenset({"nas\nfsrvpshadow: all is well\x1b[2J"})
    LoggingConnector(Connector(hostile)).connect("nas")
    [login] = caplog.messages
    assert login.isprintable()


def test_a_failure_is_a_line_too_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    inner = Connection()
    connection = LoggingConnector(Connector(inner)).connect("nas")
    with pytest.raises(Disconnected):
        connection.call(messages.SetContext(0))
    assert "nas: SetContext: nas: the connection broke; try again, " in caplog.messages[1]
    connection.close()
    assert inner.closed
    assert (connection.host, connection.uses_kerberos) == ("nas", False)
