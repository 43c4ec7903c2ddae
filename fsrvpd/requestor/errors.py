"""Every failure of the requestor: one line for people, with object, cause and next step.

The classes are what callers tell apart; a text is never compared. `exit_status` is that of the
command `fsrvpshadow`: 1 failed and nothing is left, 2 usage or configuration, 4 the server is
busy, 5 something was left that `clean` will remove.
"""

from __future__ import annotations

from typing import Optional

from fsrvpd.errors import FsrvpdError
from fsrvpd.terminal import one_line

FAILED, WRONG_USE, BUSY, LEFT_SOMETHING = 1, 2, 4, 5


class RequestorError(FsrvpdError):
    r"""`object` is what failed, such as \\nas\data; `cause` says why, `next_step` what to do or to
    type, "" if there is nothing to do. Names that came from a server may be in any of them: they
    are shown on one line, escaped. `result` is the HRESULT, NTSTATUS or fault that the server
    answered with, if it did.
    """

    default_exit_status = FAILED

    def __init__(
        self,
        object: str,
        cause: str,
        next_step: str,
        *,
        result: Optional[int] = None,
        exit_status: Optional[int] = None,
    ) -> None:
        self.object = one_line(object)
        self.cause = one_line(cause)
        self.next_step = one_line(next_step)
        self.result = result
        self.exit_status = self.default_exit_status if exit_status is None else exit_status
        end = f"; {self.next_step}" if self.next_step else ""
        super().__init__(f"{self.object}: {self.cause}{end}")


class ServerBusy(RequestorError):
    """Another client's shadow copy set is in progress: trying again later can help."""

    default_exit_status = BUSY


class NoAgent(RequestorError):
    """The server has no pipe of an agent, and had none after the retries."""


class AccessRefused(RequestorError):
    """The login, the share or the method is not permitted."""


class Disconnected(RequestorError):
    """The connection broke, or the answer did not come in time: what the server did is unknown."""


class Refused(RequestorError):
    """The server refused a method with any other result."""
