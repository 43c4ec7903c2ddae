"""What a refused call tells an admin to type."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from fsrvpd.core import messages as m
from fsrvpd.core.messages import Opnum, Request
from fsrvpd.daemon.agent import next_steps
from fsrvpd.protocol.access import BUILTIN_BACKUP_OPERATORS
from fsrvpd.protocol.actions import Call
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import Caller

SINK: Any = None
STRANGER = Caller("192.0.2.1", "LAB\\o'neill", "S-1-5-21-1", frozenset(), 0, 1000, False)
OPERATOR = STRANGER._replace(sids=frozenset({BUILTIN_BACKUP_OPERATORS}))
UNC = "\\\\nas\\my data\\"


def call(request: Optional[Request], caller: Caller = OPERATOR) -> Call:
    return Call(caller, Opnum.IsPathSupported, request, SINK, 0.0)


@pytest.mark.parametrize("result", [each for each in HResult if each])
@pytest.mark.parametrize("request_", [None, m.IsPathSupported(UNC), m.SetContext(0)])
def test_there_is_a_step_for_each_result(result: HResult, request_: Optional[Request]) -> None:
    assert next_steps.after(call(request_), result, None)


def test_what_a_client_chose_is_quoted_for_the_shell() -> None:
    denied = next_steps.after(call(None, STRANGER), HResult.E_ACCESSDENIED, None)
    assert denied.startswith(r"""net sam rights grant 'LAB\o'"'"'neill' SeBackupPrivilege;""")
    assert denied.endswith(r"""samba-tool group addmembers 'Backup Operators' 'o'"'"'neill'""")
    unsupported = next_steps.after(
        call(m.IsPathSupported(UNC)), HResult.FSRVP_E_NOT_SUPPORTED, None
    )
    assert unsupported == "fsrvpctl fsrvpd check-path 'my data'"


def test_an_operator_is_not_told_to_become_one() -> None:
    assert "sign its calls" in next_steps.after(call(None), HResult.E_ACCESSDENIED, None)
    anonymous = STRANGER._replace(anonymous=True)
    assert "log in" in next_steps.after(call(None, anonymous), HResult.E_ACCESSDENIED, None)


def test_what_is_no_unc_is_shown_in_part() -> None:
    assert next_steps.share_in(call(m.IsPathSupported("x" * 5000)), None) == "x" * 100
    assert next_steps.share_in(call(m.IsPathSupported(UNC)), None) == "my data"
