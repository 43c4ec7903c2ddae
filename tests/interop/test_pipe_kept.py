"""samba-dcerpcd takes the pipe for Samba's own agent; fsrvpd takes it back and logs that."""

from __future__ import annotations

import os
from typing import Iterator

import pytest

from lab.namespaces import wait_until
from tests.interop.nas import Nas, open_nas


@pytest.fixture(scope="module")
def contested() -> Iterator[Nas]:
    """A NAS with rpcd_fsrvp in /usr/libexec, as before `fsrvpctl setup`."""
    with open_nas(own_agent=True) as nas:
        yield nas


def must_be_ours(nas: Nas) -> None:
    """Make several calls, since a program that took the pipe once may take it again."""
    before = len(nas.daemon.calls())
    for _ in range(3):
        done = nas.samba.rpcclient("fss_get_sup_version")
        assert "supports FSRVP versions" in done.stdout
    assert len(nas.daemon.calls()) == before + 3, "Samba's own agent answered"


def test_a_daemon_that_comes_late_takes_the_pipe(contested: Nas) -> None:
    """smbd started samba-dcerpcd for its first client, before fsrvpd was running."""
    must_be_ours(contested)


def test_the_pipe_is_taken_back(contested: Nas) -> None:
    nas = contested
    assert times_retaken(nas) == 0
    nas.samba.end_rpc_server()
    nas.samba.rpcclient("srvinfo")  # starts samba-dcerpcd, which binds all pipes that it can serve
    wait_until("the pipe is taken and taken back", lambda: times_retaken(nas) > 0)
    log = nas.daemon.read_log()
    assert f"{nas.samba.pipe} was taken by another program" in log
    assert f"{nas.samba.pipe} belongs to fsrvpd again" in log
    must_be_ours(nas)


def times_retaken(nas: Nas) -> int:
    status = nas.daemon.ask("status")
    return int(status["pipe"]["retaken"])


def test_own_agent_is_hidden_elsewhere() -> None:
    """Unless a test asks for Samba's agent, samba-dcerpcd runs without touching fsrvpd's pipe."""
    with open_nas() as nas:
        ours = os.stat(nas.lab.seen(nas.samba.pipe)).st_ino
        nas.samba.end_rpc_server()
        nas.samba.rpcclient("srvinfo")
        assert os.stat(nas.lab.seen(nas.samba.pipe)).st_ino == ours
        nas.samba.rpcclient("fss_get_sup_version")
        assert [call.method for call in nas.daemon.calls()] == ["GetSupportedVersion"]
