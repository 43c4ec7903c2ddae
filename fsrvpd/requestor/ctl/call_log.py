"""-v: one line of the log for each login and each call, with its result and how long it took."""

from __future__ import annotations

import logging
import time
from typing import FrozenSet, Optional

from fsrvpd.core import messages
from fsrvpd.protocol.hresult import HResult, name_of
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import CALL_TIMEOUT, AgentConnection, Connector
from fsrvpd.terminal import one_line

log = logging.getLogger(__name__)


class LoggingConnector:
    """A `Connector` that logs what another one does."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        began = time.monotonic()
        connection = self._connector.connect(host, deadline=deadline)
        names = one_line(", ".join(sorted(connection.proved_names))) or "no name"
        how = "Kerberos" if connection.uses_kerberos else "NTLM"
        log.info("%s: logged in with %s, %s; it proved %s", host, how, _since(began), names)
        return _LoggingConnection(connection)


class _LoggingConnection:
    def __init__(self, connection: AgentConnection) -> None:
        self._connection = connection

    @property
    def host(self) -> str:
        return self._connection.host

    @property
    def proved_names(self) -> FrozenSet[str]:
        return self._connection.proved_names

    @property
    def uses_kerberos(self) -> bool:
        return self._connection.uses_kerberos

    def call(self, request: messages.Request, timeout: float = CALL_TIMEOUT) -> messages.Response:
        method, began = type(request).__name__, time.monotonic()
        try:
            response = self._connection.call(request, timeout)
        except RequestorError as error:
            log.info("%s: %s: %s, %s", self.host, method, error, _since(began))
            raise
        result = "done" if response.result == HResult.ZERO else name_of(response.result)
        log.info("%s: %s: %s, %s", self.host, method, result, _since(began))
        return response

    def has_share(self, name: str) -> bool:
        has = self._connection.has_share(name)
        log.info("%s: it has %s share %s", self.host, "the" if has else "no", one_line(name))
        return has

    def close(self) -> None:
        self._connection.close()


def _since(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.1f} ms"
