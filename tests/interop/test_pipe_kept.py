"""samba-dcerpcd takes the pipe for Samba's own agent; we take it back and say so."""

from __future__ import annotations

import os
from typing import Iterator

import pytest

from tests.interop.site import Site, open_site
from tests.lab.namespaces import wait_until


@pytest.fixture(scope="module")
def contested() -> Iterator[Site]:
    """A site where rpcd_fsrvp is in its place, as on a NAS before `fsrvpctl setup`."""
    with open_site(own_agent=True) as site:
        yield site


def must_be_ours(site: Site) -> None:
    """Several calls, for whoever takes the pipe once may take it twice."""
    before = len(site.daemon.calls())
    for _ in range(3):
        done = site.samba.rpcclient("fss_get_sup_version")
        assert "supports FSRVP versions" in done.stdout
    assert len(site.daemon.calls()) == before + 3, "Samba's own agent answered"


def test_a_daemon_that_comes_late_takes_the_pipe(contested: Site) -> None:
    """smbd started samba-dcerpcd for its first client, before there was a daemon."""
    must_be_ours(contested)


def test_the_pipe_is_taken_back(contested: Site) -> None:
    site = contested
    assert times_retaken(site) == 0
    site.samba.end_rpc_server()
    site.samba.rpcclient("srvinfo")  # starts samba-dcerpcd, which binds all it can serve
    wait_until("the pipe is taken and taken back", lambda: times_retaken(site) > 0)
    log = site.daemon.read_log()
    assert f"{site.samba.pipe} was taken by another program" in log
    assert f"{site.samba.pipe} is ours again" in log
    must_be_ours(site)


def times_retaken(site: Site) -> int:
    status = site.daemon.ask("status")
    return int(status["pipe"]["retaken"])


def test_own_agent_is_hidden_elsewhere() -> None:
    """Where a test does not want it, samba-dcerpcd runs without touching our pipe."""
    with open_site() as site:
        ours = os.stat(site.lab.seen(site.samba.pipe)).st_ino
        site.samba.end_rpc_server()
        site.samba.rpcclient("srvinfo")
        assert os.stat(site.lab.seen(site.samba.pipe)).st_ino == ours
        site.samba.rpcclient("fss_get_sup_version")
        assert [call.method for call in site.daemon.calls()] == ["GetSupportedVersion"]
