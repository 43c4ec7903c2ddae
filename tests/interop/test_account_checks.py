"""What clients can make the server do to their names: look-ups and processes, through smbd."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.daemon.pipe.verifications import MAX_RUNNING
from fsrvpd.daemon.pipe.wrong_passwords import MAX_FAILURES
from lab.accounts import ROOT, User
from lab.namespaces import wait_until
from tests.interop.attackers import ANONYMOUS
from tests.interop.nas import SECOND_ADDRESS, Nas, open_nas
from tests.interop.secured_agent import INTEGRITY, SecuredAgent

REQUIRED = {"fsrvpd:require rpc integrity": "yes"}
ORDINARY_USER = User("clerk")  # a user without any right
VERSION = "fss_get_sup_version"
FLOOD = 5.0  # s
CLIENTS = 3
WAKES = 2  # of the worker for a look-up, at most
ANSWERED_WITHIN = 2.0  # s, for an operator


@pytest.fixture
def nas() -> Iterator[Nas]:
    with open_nas(REQUIRED) as opened:
        opened.samba.add_user(ORDINARY_USER.name)
        yield opened


def worker(nas: Nas) -> Path:
    """Return the accounts worker's directory in /proc, when it waits for a request."""

    def running() -> list[int]:
        processes = nas.lab.processes().items()
        return [pid for pid, argv in processes if "samba_hooks.accounts.worker" in argv]

    wait_until("the accounts worker runs", lambda: bool(running()))
    ask_as_operator(nas)
    return nas.lab.seen(Path(f"/proc/{running()[0]}"))


def wakes(process: Path) -> int:
    """Return how often a process has waited for something: a worker does for each request."""
    lines = (process / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary_ctxt")).split()[1])


def ask_as_operator(nas: Nas) -> float:
    """Make a signed call with a new connection. Returns seconds."""
    before = len(nas.daemon.calls())
    began = time.monotonic()
    done = nas.samba.rpcclient(VERSION, binding="sign")
    seconds = time.monotonic() - began
    assert "supports FSRVP versions from 1 to 1" in done.stdout
    wait_until("the daemon logs the call", lambda: len(nas.daemon.calls()) > before)
    return seconds


@contextlib.contextmanager
def programs_started_by(pid: int, trace: Path) -> Iterator[list[str]]:
    """Collect the programs that a process and its children execute."""
    found: list[str] = []
    options = ["-f", "-qq", "-e", "trace=execve", "-o", str(trace), "-p", str(pid)]
    strace = subprocess.Popen(["strace", *options])
    time.sleep(0.5)  # until it is attached
    try:
        yield found
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(20)
        found += [line for line in trace.read_text().splitlines() if "execve(" in line]


def guess(nas: Nas, session: User, until: float) -> int:
    """Bind as root with a guessed password, again and again. Returns how often."""
    count = 0
    with SecuredAgent(
        nas, INTEGRITY, rpc_user=User(ROOT.name, "guessed"), smb_user=session
    ) as agent:
        while time.monotonic() < until:
            with pytest.raises((DCERPCException, SessionError)):
                agent.call(Opnum.GetSupportedVersion, b"")
            count += 1
            agent._pipe = agent._there(agent._bind)
    return count


@pytest.mark.parametrize(
    ("session", "look_ups"),
    # Of a session's own account, as often as its passwords may be wrong.
    [(ANONYMOUS, 0), (ORDINARY_USER, MAX_FAILURES + CLIENTS)],
    ids=["anonymous", "another user"],
)
def test_nobody_makes_the_server_look_up_an_account_that_is_not_his(
    nas: Nas, session: User, look_ups: int, tmp_path: Path
) -> None:
    process = worker(nas)
    before, until = wakes(process), time.monotonic() + FLOOD
    trace = programs_started_by(nas.daemon.pid, tmp_path / "trace")
    with trace as started, ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(guess, nas, session, until) for _ in range(CLIENTS)]
        guesses = sum(client.result() for client in clients)
    looked_up = wakes(process) - before
    assert guesses > 20
    assert started == []
    assert looked_up <= look_ups * WAKES, f"of {guesses} guesses"
    why = "the SMB session is anonymous" if session == ANONYMOUS else "wrong passwords of"
    assert nas.daemon.read_log().count(why) > 10, "our agent has refused them"


def test_an_operator_is_answered_during_a_flood(nas: Nas) -> None:
    worker(nas)
    until = time.monotonic() + FLOOD
    with ThreadPoolExecutor(CLIENTS) as threads:
        for number in range(CLIENTS):
            threads.submit(guess, nas, (ANONYMOUS, ORDINARY_USER)[number % 2], until)
        times = []
        while time.monotonic() < until:
            times.append(ask_as_operator(nas))
    assert len(times) > 1
    assert max(times) < ANSWERED_WITHIN


def test_accounts_of_pipes_that_are_closed_are_not_looked_up(nas: Nas) -> None:
    """The worker is stopped while clients come and go."""
    process = worker(nas)
    nas.lab.run(["kill", "-STOP", process.name])
    before = wakes(process)
    agents = [
        SecuredAgent(nas, INTEGRITY, rpc_user=ORDINARY_USER, smb_user=ORDINARY_USER)
        for _ in range(4 * MAX_RUNNING)
    ]
    for agent in agents:
        agent.hang_up()
    time.sleep(1.0)  # until smbd has closed the pipes
    nas.lab.run(["kill", "-CONT", process.name])
    assert ask_as_operator(nas) < ANSWERED_WITHIN
    # A request may wake it twice. Without the cancelling there is one for each pipe, and more.
    assert wakes(process) - before < len(agents)


def test_wrong_passwords_do_not_keep_the_user_out_elsewhere(nas: Nas) -> None:
    """Somebody took over a session and guesses its user's password; the user is elsewhere."""
    for _ in range(MAX_FAILURES):
        assert not may_sign(nas, "guessed")
    process = worker(nas)
    before = wakes(process)
    assert not may_sign(nas, ORDINARY_USER.password), "the limit holds for the right password, too"
    assert wakes(process) == before
    assert f"{MAX_FAILURES} wrong passwords of" in nas.daemon.read_log()
    assert may_sign(nas, ORDINARY_USER.password, SECOND_ADDRESS)
    ask_as_operator(nas)


def may_sign(nas: Nas, password: str, address: str = "") -> bool:
    """Return whether clerk can authenticate at RPC level. It is denied every method anyway."""
    with SecuredAgent(
        nas,
        INTEGRITY,
        rpc_user=User(ORDINARY_USER.name, password),
        smb_user=ORDINARY_USER,
        address=address,
    ) as agent:
        try:
            agent.call(Opnum.GetSupportedVersion, b"")
        except DCERPCException:
            return False
    return True
