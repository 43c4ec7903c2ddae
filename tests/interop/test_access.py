"""Who may not back up gets E_ACCESSDENIED from every method, whatever it asks."""

from __future__ import annotations

from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from tests.interop.raw_agent import RawAgent, every_call, result_of
from tests.interop.site import TORTURE_SHARE, Site
from tests.lab.namespaces import wait_until

# Samba lets an unknown name in as a guest (`map to guest = bad user`).
NOBODIES = {
    "an ordinary user": ("clerk", "Lab-pass-0"),
    "anonymous": ("", ""),
    "a guest": ("nobody-we-know", "whatever"),
}


@pytest.fixture(params=NOBODIES.values(), ids=NOBODIES, scope="module")
def nobody(request: pytest.FixtureRequest, site: Site) -> Iterator[RawAgent]:
    name, password = request.param
    if name == "clerk":
        site.samba.add_user(name)
    with RawAgent(site, name, password) as agent:
        yield agent


def last_call(site: Site) -> tuple[int, int]:
    last = site.daemon.calls()[-1]
    return last.opnum, last.result


@pytest.mark.parametrize("opnum", list(Opnum), ids=lambda opnum: opnum.name)
def test_every_method_is_denied(site: Site, nobody: RawAgent, opnum: Opnum) -> None:
    denied = (opnum, HResult.E_ACCESSDENIED)
    for share in (TORTURE_SHARE, "missing"):
        stub = every_call(nobody.unc(share))[opnum]
        assert nobody.result(opnum, stub) == HResult.E_ACCESSDENIED
    wait_until("the refusal is in the log", lambda: last_call(site) == denied)


@pytest.mark.parametrize("opnum", list(Opnum), ids=lambda opnum: opnum.name)
def test_denied_before_anything_is_parsed(nobody: RawAgent, opnum: Opnum) -> None:
    """Garbage from a nobody is answered as a request is: what it holds is not looked at."""
    well_formed = nobody.call(opnum, every_call(nobody.unc(TORTURE_SHARE))[opnum])
    garbage = nobody.call(opnum, b"\xff" * 7)
    assert result_of(garbage) == HResult.E_ACCESSDENIED
    assert garbage == well_formed


def test_root_is_granted(site: Site) -> None:
    with RawAgent(site) as agent:
        assert agent.result(Opnum.GetSupportedVersion, b"") == 0
