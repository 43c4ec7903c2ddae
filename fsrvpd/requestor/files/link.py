"""`Link`: the channel to a share, made again when it breaks, until that has lasted too long."""

from __future__ import annotations

import errno
import threading
import time
from typing import Callable, Optional, Tuple, TypeVar

from fsrvpd.requestor.errors import AccessRefused, RequestorError
from fsrvpd.requestor.files import statuses
from fsrvpd.requestor.files.channel import Channel, Lost
from fsrvpd.requestor.files.messages import Answer, Malformed
from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.smb.connection import WAIT, Clock
from fsrvpd.requestor.smb.session import SmbSession

PAUSES = (0.1, 0.2, 0.5, 1.0)  # seconds between attempts to connect, and the last one again
MOST_LOSSES = 5  # of connections, before one request is given up that each of them breaks at
_NO_LOGON_SERVERS = 0xC000005E
Connect = Callable[[], SmbSession]
Result = TypeVar("Result")


class Refused(Exception):
    """The server's answer is a status that says no."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:#010x}")
        self.status = status


def good(answer: Answer, *also: int) -> Answer:
    """The answer, if its status is 0 or one of `also`. Raises: Refused."""
    if answer.status and answer.status not in also:
        raise Refused(answer.status)
    return answer


class Link:
    """Threads may share one. `give_up`: seconds without the server, after which what needs it
    fails; one attempt is made for each thing that needs it later."""

    def __init__(
        self,
        connect: Connect,
        share: str,
        *,
        give_up: float,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect, self.share, self._give_up = connect, share, give_up
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._channel: Optional[Channel] = None
        self._lost_at: Optional[float] = None  # since when nothing has succeeded
        self._closed = False
        self.host = ""  # until it has been connected
        self.reconnections = 0

    def run(self, unc: Callable[[], str], work: Callable[[Channel], Result]) -> Result:
        """Do `work`, over a new channel if one breaks: it must not mind being done again.

        Raises: FileFailure.
        """
        losses = 0
        while True:
            channel = self.channel()
            try:
                result = work(channel)
            except Lost as error:
                losses += 1
                self._lose(channel, error)
                if losses > MOST_LOSSES:
                    raise FileFailure(unc(), f"each connection breaks at it: {error}") from error
            except Refused as error:
                if error.status not in statuses.SESSION_GONE or losses > MOST_LOSSES:
                    raise statuses.failure(unc(), error.status) from error
                losses += 1
                self._lose(channel, error)
            except Malformed as error:
                raise FileFailure(unc(), f"the server sent {error}", "see its log") from error
            else:
                self._lost_at = None
                return result

    def channel(self) -> Channel:
        """The one there is, or a new one. Raises: FileFailure."""
        with self._lock:
            if self._closed:
                raise FileFailure(self.unc(), "it was closed", errno=errno.EBADF)
            if self._channel is None:
                self._channel = self._connected()
            return self._channel

    def unc(self, path: str = "") -> str:
        return rf"\\{self.host}\{self.share}" + (f"\\{path}" if path else "")

    def close(self) -> None:
        """Raises nothing; may be called twice."""
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
        if channel is not None:
            channel.close()

    def _lose(self, channel: Channel, error: Exception) -> None:
        with self._lock:
            if self._channel is channel:
                self._channel = None
            if self._lost_at is None:
                self._lost_at = self._clock()
        channel.close()

    def _connected(self) -> Channel:
        """Tries again only if there was a connection once: a wrong name stays wrong. A server that
        has been started again may have no domain controller and no shadow copy share yet."""
        for number in range(1_000_000):
            try:
                session, channel = self._attempt()
            except (RequestorError, Lost) as error:
                self._check(error)
            else:
                self.reconnections += self.host != ""
                self.host = session.host
                return channel
            self._sleep(PAUSES[min(number, len(PAUSES) - 1)])
        raise AssertionError("the time was over before")

    def _attempt(self) -> Tuple[SmbSession, Channel]:
        session = self._connect()
        try:
            return session, Channel(session, self.share, wait=min(WAIT, max(1.0, self._give_up)))
        except BaseException:
            session.close()
            raise

    def _check(self, error: Exception) -> None:
        """Whether to try again. Raises: FileFailure."""
        late = self._lost_at is None or self._clock() - self._lost_at >= self._give_up
        refused = isinstance(error, AccessRefused) and error.result != _NO_LOGON_SERVERS
        if late or refused:
            raise _failure(self.unc(), error) from error


def _failure(unc: str, error: Exception) -> FileFailure:
    if not isinstance(error, RequestorError):
        return FileFailure(unc, f"the connection broke: {error}", "try again")
    number = errno.EACCES if isinstance(error, AccessRefused) else errno.EIO
    return FileFailure(
        error.object, error.cause, error.next_step, errno=number, result=error.result
    )
