"""Nobody makes the agent deaf: clients that hold connections take none from operators and admins.

The daemon starts with systemd's soft limit on open files, 1,024.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.ctl.client import ask
from fsrvpd.daemon.control.socket_server import MAX_OF_USER
from fsrvpd.daemon.descriptors import METRICS
from fsrvpd.daemon.log.notice_limit import MAX_ALIKE
from fsrvpd.daemon.pipe.connection_limits import MAX_OF_ACCOUNT, MAX_REFUSED, REFUSED_TIMEOUT
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.samba_command_line import SNAP_SOCKET
from lab import User
from lab.accounts import ROOT
from lab.namespaces import SLOWNESS, wait_until
from tests.interop import attackers
from tests.interop.nas import Nas, open_nas
from tests.interop.raw_agent import RawAgent
from tests.interop.test_admin_metrics import fetch

PROMPT = 2.0  # s in which operators and admins must be answered
CLIENTS, PIPES = 4, 256
LOG_GROWTH = 1 << 18  # bytes in the time of a test
MARGIN = 8  # files that others open meanwhile
PORT = 9564
SYSTEMD = ["prlimit", "--nofile=1024:"]


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        opened.samba.add_user("clerk")
        opened.daemon.stop()
        opened.daemon.start(SYSTEMD)
        yield opened


def control(nas: Nas) -> str:
    state = nas.samba.place("state directory") / "fsrvpd" / "control.socket"
    return str(nas.lab.seen(state))


@contextmanager
def prompt(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < PROMPT * SLOWNESS, f"{what} took {took:.1f} s"


def assert_others_are_served(nas: Nas) -> None:
    with prompt("ping"):
        ask(control(nas), "ping", [], timeout=PROMPT * SLOWNESS)
    with prompt("status"):
        ask(control(nas), "status", [], timeout=PROMPT * SLOWNESS)
    with prompt("a call"), RawAgent(nas) as operator:
        assert operator.result(Opnum.GetSupportedVersion, b"") == 0
    assert "supports FSRVP versions" in nas.samba.rpcclient("fss_get_sup_version").stdout


def open_pipes(nas: Nas) -> int:
    return int(ask(control(nas), "status", [])["pipe"]["connections"])


def open_files(nas: Nas) -> int:
    return len(os.listdir(f"/proc/{nas.daemon.pid}/fd"))


def log_size(nas: Nas) -> int:
    return nas.daemon.log.stat().st_size


@pytest.mark.parametrize("user", [attackers.ANONYMOUS, User("clerk")], ids=["anonymous", "clerk"])
def test_clients_without_rights_hold_pipes(nas: Nas, user: User) -> None:
    """Their pipes are few and closed soon; that of an operator who is silent for longer is not."""
    before = log_size(nas)
    servers = attackers.addresses(nas.lab, CLIENTS)
    with RawAgent(nas) as silent:
        set_id = silent.start()
        with attackers.pipes(nas, PIPES, user, servers) as opened:
            assert_others_are_served(nas)
            assert opened == CLIENTS * PIPES
            assert open_pipes(nas) <= MAX_REFUSED + 1
            time.sleep(REFUSED_TIMEOUT)
            assert open_pipes(nas) == 1
        silent.must(Opnum.AbortShadowCopySet, set_id)
    assert log_size(nas) - before < LOG_GROWTH


def test_clients_without_rights_cannot_fill_the_log(nas: Nas) -> None:
    nas.daemon.ctl("debug", "1")
    before = nas.daemon.read_log().count("\n")
    try:
        with RawAgent(nas, *attackers.ANONYMOUS) as agent, attackers.pipes(nas, 100):
            for _ in range(200):
                assert agent.result(Opnum.GetSupportedVersion, b"") == HResult.E_ACCESSDENIED
        added = nas.daemon.read_log().splitlines()[before:]
    finally:
        nas.daemon.ctl("debug", "3")
    assert any("event=call-refused" in line for line in added)
    assert len(added) <= 3 * MAX_ALIKE


def test_an_operator_holds_pipes(nas: Nas) -> None:
    """One account at many addresses is one client, and leaves room for others."""
    nas.samba.add_user("operator")
    servers = attackers.addresses(nas.lab, MAX_OF_ACCOUNT // PIPES + 1)
    operator = User("operator")
    nas.samba.net("sam", "rights", "grant", "operator", "SeBackupPrivilege")
    with attackers.pipes(nas, PIPES, operator, servers):
        assert open_pipes(nas) == MAX_OF_ACCOUNT
        assert_others_are_served(nas)


def test_local_users_hold_the_metrics_port(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:metrics port", str(PORT))
    nas.daemon.ctl("reload-config")
    before, files = log_size(nas), open_files(nas)
    url = f"http://127.0.0.1:{PORT}/metrics"
    for sent in (b"", b"GET /metrics HTTP/1.1\r\nX: "):
        with attackers.connections(nas.lab, PORT, 1100, uid=20077, sent=sent) as held:
            assert held
            assert open_files(nas) <= files + METRICS + MARGIN
            assert_others_are_served(nas)
            with nas.lab.network() as thread, prompt("a scrape"):
                assert "fsrvpd_info" in thread.submit(fetch, url).result(20)
    assert log_size(nas) - before < LOG_GROWTH


@pytest.mark.parametrize("option", ["fsrvpd:snapshot group", "fsrvpd:admin group"])
@pytest.mark.parametrize("sent", [b"", b'{"message'], ids=["silent", "slow"])
def test_members_of_a_group_hold_a_control_socket(nas: Nas, option: str, sent: bytes) -> None:
    nas.lab.run(["sh", "-c", "grep -q ^members: /etc/group || echo members:x:20076: >>/etc/group"])
    nas.samba.set_option(option, "members")
    nas.daemon.ctl("reload-config")
    snap = nas.samba.place("pid directory") / SNAP_SOCKET
    admin = nas.samba.place("state directory") / "fsrvpd" / "control.socket"
    target = snap if "snapshot" in option else admin
    nas.lab.run(["chmod", "o+x", nas.samba.place("pid directory")])
    before, files = log_size(nas), open_files(nas)
    with attackers.connections(nas.lab, target, 1100, uid=20077, groups=[20076], sent=sent):
        assert open_files(nas) <= files + MAX_OF_USER + MARGIN
        assert_others_are_served(nas)
        with prompt("fsrvp-snap"), pytest.raises(FsrvpdError, match="is not the path"):
            ask(str(nas.lab.seen(snap)), "check", ["/nowhere"], timeout=PROMPT * SLOWNESS)
        wait_until("who asks nothing is sent away", lambda: open_files(nas) <= files)
    assert log_size(nas) - before < LOG_GROWTH


def test_files_that_are_missing_anyway_are_waited_for_quietly(nas: Nas) -> None:
    """Whatever else takes all descriptors: admins are answered, the log does not grow, and all
    is as before when they are free again."""
    pid = str(nas.daemon.pid)
    limit = subprocess.run(
        ["prlimit", "-p", pid, "--nofile", "-o", "SOFT", "--noheadings"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    in_use = len(os.listdir(f"/proc/{pid}/fd"))
    before = log_size(nas)
    subprocess.run(["prlimit", "-p", pid, f"--nofile={in_use}:"], check=True)
    try:
        with attackers.pipes(nas, 5, ROOT):
            for _ in range(3):
                with prompt("ping"):
                    ask(control(nas), "ping", [], timeout=PROMPT * SLOWNESS)
            time.sleep(3)
    finally:
        subprocess.run(["prlimit", "-p", pid, f"--nofile={limit}:"], check=True)
    assert_others_are_served(nas)
    assert "EMFILE" in nas.daemon.read_log()
    assert log_size(nas) - before < LOG_GROWTH
