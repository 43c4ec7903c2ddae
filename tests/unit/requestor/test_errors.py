from __future__ import annotations

import pytest

from fsrvpd.errors import FsrvpdError
from fsrvpd.requestor.errors import (
    AccessRefused,
    Disconnected,
    NoAgent,
    Refused,
    RequestorError,
    ServerBusy,
)


def test_a_line_has_object_cause_and_next_step() -> None:
    error = RequestorError(r"\\nas\data", "there is no such share", "type its name as nas has it")
    assert str(error) == r"\\nas\data: there is no such share; type its name as nas has it"
    assert (error.object, error.cause) == (r"\\nas\data", "there is no such share")
    assert error.next_step == "type its name as nas has it"
    assert (error.result, error.exit_status) == (None, 1)
    assert isinstance(error, FsrvpdError)


def test_nothing_may_be_left_to_do() -> None:
    assert str(RequestorError("nas", "gone", "")) == "nas: gone"


@pytest.mark.parametrize(
    ("kind", "status"),
    [(ServerBusy, 4), (NoAgent, 1), (AccessRefused, 1), (Disconnected, 1), (Refused, 1)],
)
def test_each_kind_has_an_exit_status(kind: type[RequestorError], status: int) -> None:
    error = kind("nas", "why", "what", result=0x80042316)
    assert (error.exit_status, error.result) == (status, 0x80042316)
    assert kind("nas", "why", "what", exit_status=5).exit_status == 5


def test_a_name_of_a_server_begins_no_line_and_controls_no_terminal() -> None:
    error = RequestorError("nas\nroot:", "\x1b[2Jempty", "rm\r-rf")
    assert str(error).isprintable()
    assert str(error) == r"nas\nroot:: \x1b[2Jempty; rm\r-rf"
