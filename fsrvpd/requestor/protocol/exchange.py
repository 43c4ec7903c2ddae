"""Calls and their answers, without I/O: who drives an exchange sends what it yields.

An exchange is a generator. It yields a `Call`, is sent the response, and returns its outcome. It
raises `RequestorError` where the server refuses. Where no answer comes the driver gives it up:
the record that stood in the last call says what the server may have done.
"""

from __future__ import annotations

from typing import Generator, NamedTuple, Optional, TypeVar

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum
from fsrvpd.requestor.ports import SetRecord
from fsrvpd.requestor.protocol import answers

Outcome = TypeVar("Outcome")


class Call(NamedTuple):
    """The next request. A `record` must be on disk before it is sent."""

    request: m.Request
    record: Optional[SetRecord] = None


Exchange = Generator[Call, m.Response, Outcome]


def opnum_of(request: m.Request) -> Opnum:
    return Opnum[type(request).__name__]


def must(
    subject: str, request: m.Request, record: Optional[SetRecord] = None
) -> Exchange[m.Response]:
    """Call, and raise what a result other than zero means."""
    response = yield Call(request, record)
    if response.result:
        raise answers.refusal(subject, opnum_of(request), response.result)
    return response
