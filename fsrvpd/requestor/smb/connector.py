"""`SmbConnector`: from a host's name to a bound agent connection."""

from __future__ import annotations

import time
from typing import Callable, Optional

from smbprotocol.exceptions import SMBResponseException

from fsrvpd.requestor.ports import AgentConnection
from fsrvpd.requestor.smb import failures
from fsrvpd.requestor.smb.agent_connection import PIPE, Binding, SmbAgentConnection
from fsrvpd.requestor.smb.connection import PORT, WAIT, Clock
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.idle_sessions import IdleSessions
from fsrvpd.requestor.smb.pipe import Pipe
from fsrvpd.requestor.smb.session import SMB_ERRORS, SmbSession, log_in

PIPE_RETRIES, PIPE_PAUSE = 5, 1.0  # times, seconds


class SmbConnector:
    """A `Connector`: any number of threads may connect. `encrypt`: at SMB and at RPC level."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        encrypt: bool = False,
        port: int = PORT,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials, self._encrypt, self._port = credentials, encrypt, port
        self._clock, self._sleep = clock, sleep
        self._idle = IdleSessions(clock)

    def connect(self, host: str, *, deadline: Optional[float] = None) -> AgentConnection:
        if deadline is None:
            deadline = self._clock() + WAIT
        session = self.log_in(host, deadline=deadline)
        try:
            session.connection.deadline = deadline
            binding = Binding(session)
            return SmbAgentConnection(session, self._open(session, deadline, binding), binding)
        except BaseException:
            session.close()
            raise

    def log_in(self, host: str, *, deadline: Optional[float] = None) -> SmbSession:
        """A session without the agent's pipe, to look at shares and read. One that was given back
        is used before a new one."""
        return self._idle.take(host) or self.new_session(host, deadline=deadline)

    def new_session(self, host: str, *, deadline: Optional[float] = None) -> SmbSession:
        """One that nobody has used, also in a process that was forked."""
        return log_in(
            host,
            self._credentials,
            encrypt=self._encrypt,
            deadline=deadline,
            port=self._port,
            clock=self._clock,
        )

    def give_back(self, session: SmbSession) -> None:
        """Leave a session that is in order to whoever next needs one of its server."""
        self._idle.put(session)

    def _open(self, session: SmbSession, deadline: float, binding: Binding) -> Pipe:
        """Windows starts its agent when somebody asks for the pipe, and refuses that first one.
        The bind is made ready while the server opens it.

        Raises: NoAgent, AccessRefused, Disconnected, RequestorError.
        """
        for retries_left in range(PIPE_RETRIES, -1, -1):
            try:
                return Pipe(session, PIPE, binding.begin)
            except SMBResponseException as error:
                too_late = self._clock() + PIPE_PAUSE >= deadline
                if error.status not in failures.NO_PIPE or not retries_left or too_late:
                    raise failures.failure(session.host, error, failures.PIPE) from error
            except SMB_ERRORS as error:
                raise failures.failure(session.host, error, failures.PIPE) from error
            self._sleep(PIPE_PAUSE)
        raise AssertionError("the last attempt returned or raised")
