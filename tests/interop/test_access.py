"""A caller who may not back up gets E_ACCESSDENIED from every method and for any request."""

from __future__ import annotations

from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.raw_agent import RawAgent, every_call, result_of

# Samba lets an unknown name in as a guest (`map to guest = bad user`).
NOBODIES = {
    "an ordinary user": ("clerk", "Lab-pass-0"),
    "anonymous": ("", ""),
    "a guest": ("nobody-we-know", "whatever"),
}


@pytest.fixture(scope="module", autouse=True)
def ordinary_user(nas: Nas) -> None:
    nas.samba.add_user("clerk")


@pytest.fixture(params=NOBODIES.values(), ids=NOBODIES)
def nobody(request: pytest.FixtureRequest, nas: Nas) -> Iterator[RawAgent]:
    """Of each test, since the agent closes such a pipe after some seconds."""
    name, password = request.param
    with RawAgent(nas, name, password) as agent:
        yield agent


def last_call(nas: Nas) -> tuple[int, int]:
    last = nas.daemon.calls()[-1]
    return last.opnum, last.result


@pytest.mark.parametrize("opnum", list(Opnum), ids=lambda opnum: opnum.name)
def test_every_method_is_denied(nas: Nas, nobody: RawAgent, opnum: Opnum) -> None:
    denied = (opnum, HResult.E_ACCESSDENIED)
    for share in (TORTURE_SHARE, "missing"):
        stub = every_call(nobody.unc(share))[opnum]
        assert nobody.result(opnum, stub) == HResult.E_ACCESSDENIED
    wait_until("the refusal is in the log", lambda: last_call(nas) == denied)


@pytest.mark.parametrize("opnum", list(Opnum), ids=lambda opnum: opnum.name)
def test_denied_before_anything_is_parsed(nobody: RawAgent, opnum: Opnum) -> None:
    """Garbage from an unknown user gets the same answer as a request: it is not parsed."""
    well_formed = nobody.call(opnum, every_call(nobody.unc(TORTURE_SHARE))[opnum])
    garbage = nobody.call(opnum, b"\xff" * 7)
    assert result_of(garbage) == HResult.E_ACCESSDENIED
    assert garbage == well_formed


def test_root_is_granted(nas: Nas) -> None:
    with RawAgent(nas) as agent:
        assert agent.result(Opnum.GetSupportedVersion, b"") == 0
