"""Attackers of every kind side by side, while operators make sets and an admin asks.

Every call of an operator and every question of the admin is answered promptly, and descriptors,
memory and the log stay bounded. The daemon starts with systemd's soft limit on open files.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import pytest
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.nmb import NetBIOSError
from impacket.smbconnection import SessionError

from fsrvpd.core.messages import Opnum
from fsrvpd.ctl.client import ask
from fsrvpd.protocol.context import ATTR_AUTO_RECOVERY
from fsrvpd.samba_command_line import SNAP_SOCKET
from lab import FsrvpdProcess, Share, User
from lab.fuse import StoppableVolume
from lab.namespaces import SLOWNESS, wait_until
from tests.interop import attackers
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.raw_agent import RawAgent, wide
from tests.reliability.pipe_agent import connect

SECONDS = 600 if os.environ.get("FSRVPD_SOAK") else 60
PROMPT = 2.0  # s in which an operator's call and an admin's question are answered
DESCRIPTORS = 4096
MEMORY = 64 << 20  # bytes that the daemon may grow
LOG = 1 << 20  # bytes in ten minutes, at the default level
PORT = 9565
JOE, MEMBERS = 20077, 20076
SYSTEMD = ["prlimit", "--nofile=1024:"]
HOSTILE_TREE = """
import os, random, sys, time
def attempt(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass
def write(path):
    with open(path, "w") as file:
        file.write("x" * 1000)
os.setgid(JOE)
os.setuid(JOE)
roots, end = sys.argv[2:], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for root in roots:
        os.chdir(root)
        name = f"joe{random.randrange(50)}"
        attempt(os.makedirs, f"{name}/a/b/c")
        attempt(os.symlink, "/etc", f"{name}/a/link")
        attempt(os.rename, f"{name}/a", f"joe{random.randrange(50)}")
        attempt(os.rename, ".fsrvpd", f".fsrvpd.{random.randrange(9)}")
        attempt(os.mkdir, ".fsrvpd")
        attempt(os.symlink, "/", ".fsrvpd")
        attempt(os.rename, name, f".fsrvpd/{name}")
        attempt(os.rename, name, f".fsrvpd/joe/{name}")
        attempt(write, f"{name}.txt")
    time.sleep(0.01)
""".replace("JOE", str(JOE))
REFUSED = (SessionError, DCERPCException, NetBIOSError, OSError, AssertionError)


class Peak(NamedTuple):
    """The largest that was seen of the daemon."""

    descriptors: int
    memory: int  # bytes
    log: int  # bytes


class Soak:
    def __init__(self, nas: Nas) -> None:
        self.nas = nas
        self.end = time.monotonic() + SECONDS
        self.counts: Counter[str] = Counter()
        self.slowest: Dict[str, float] = {}
        self.refusals: List[str] = []  # of operators' calls
        self._lock = threading.Lock()

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            with self._lock:
                self.slowest[what] = max(took, self.slowest.get(what, 0.0))


class Operator:
    """Makes sets of one share, and measures each call."""

    def __init__(self, soak: Soak, agent: RawAgent, share: str) -> None:
        self._soak, self._agent, self._share = soak, agent, share

    def make_sets(self) -> None:
        while self._soak.goes_on:
            with self._timed("StartShadowCopySet"):
                set_id = self._agent.start(ATTR_AUTO_RECOVERY)
            try:
                self._make_set(set_id)
                self._soak.count(f"sets of {self._share}")
            except AssertionError as refusal:
                self._soak.refusals.append(f"{self._share}: {refusal}")
                self._agent.must(Opnum.AbortShadowCopySet, set_id)

    def _make_set(self, set_id: bytes) -> None:
        agent, share = self._agent, self._share
        with self._timed("IsPathSupported"):
            agent.must(Opnum.IsPathSupported, wide(agent.unc(share)))
        with self._timed("AddToShadowCopySet"):
            copy_id = agent.add(set_id, share)
        for method in (
            Opnum.PrepareShadowCopySet,
            Opnum.CommitShadowCopySet,
            Opnum.ExposeShadowCopySet,
            Opnum.RecoveryCompleteShadowCopySet,
        ):
            with self._timed(method.name):
                agent.advance(method, set_id)
        with self._timed("DeleteShareMapping"):
            agent.delete(set_id, copy_id, share)

    @contextmanager
    def _timed(self, method: str) -> Iterator[None]:
        with self._soak.timed(f"{method} of {self._share}"):
            yield


def control(nas: Nas) -> str:
    return str(nas.lab.seen(nas.samba.place("state directory") / "fsrvpd/control.socket"))


def ask_as_admin(soak: Soak) -> None:
    while soak.goes_on:
        for message in ("ping", "status", "list-sets"):
            with soak.timed(message):
                ask(control(soak.nas), message, [], timeout=60)
            soak.count("questions")
        time.sleep(0.2)


def hold_pipes(soak: Soak, user: User, servers: List[str]) -> None:
    while soak.goes_on:
        with attackers.pipes(soak.nas, 40, user, servers) as opened:
            soak.counts[f"pipes of {user.name or 'anonymous'}"] += opened
            time.sleep(5)


def hold_connections(soak: Soak, target: Any, sent: bytes) -> None:
    while soak.goes_on:
        with attackers.connections(
            soak.nas.lab, target, 1100, uid=JOE, groups=[MEMBERS], sent=sent
        ) as held:
            soak.counts["connections"] += held
            time.sleep(5)


def flood_with_binds(soak: Soak, server: str) -> None:
    """Log in without an account, bind, call, and start again."""
    while soak.goes_on:
        with suppress(*REFUSED), RawAgent(soak.nas, "", "", address=server) as agent:
            agent.call(Opnum.GetSupportedVersion, b"")
        soak.count("binds")


def send_slowly(soak: Soak, address: str) -> None:
    """Open pipes and send a byte now and then, or nothing at all."""
    while soak.goes_on:
        with ExitStack() as stack:
            for number in range(50):
                with suppress(OSError):
                    stream = stack.enter_context(connect(soak.nas, address))
                    soak.count("slow pipes")
                    if number % 2:
                        stream.sendall(b"\x48\x00\x05")
            time.sleep(5)


def hang_storage(soak: Soak, volume: StoppableVolume) -> None:
    """Ask for a share whose storage answers only now and then."""
    with RawAgent(soak.nas, address="10.77.0.1") as agent:
        while soak.goes_on:
            with volume.stopped():
                agent.begin(Opnum.IsPathSupported, wide(agent.unc("stopped")))
                time.sleep(min(8.0, SECONDS / 4))
            agent.answer()
            soak.count("hangs of storage")
            time.sleep(1)


def spoil_trees(soak: Soak) -> None:
    volumes = soak.nas.volumes
    roots = [volumes[name] for name in ("projects", "more", "vault")]
    argv = [sys.executable, "-c", HOSTILE_TREE, str(soak.end - time.monotonic()), *map(str, roots)]
    soak.nas.lab.run(argv, timeout=SECONDS + 60)


def watch(soak: Soak, pid: int, log: Path) -> Peak:
    """Sample what the daemon uses, once a second."""
    samples = []
    while soak.goes_on:
        statm = Path(f"/proc/{pid}/statm").read_text().split()
        memory = int(statm[1]) * os.sysconf("SC_PAGE_SIZE")
        samples.append(Peak(len(os.listdir(f"/proc/{pid}/fd")), memory, log.stat().st_size))
        time.sleep(1)
    return Peak(*map(max, zip(*samples)))


@pytest.fixture
def nas() -> Iterator[Nas]:
    with open_nas() as opened:
        opened.lab.run(["sh", "-c", f"echo members:x:{MEMBERS}: >>/etc/group"])
        opened.lab.run(["chmod", "o+x", opened.samba.place("pid directory")])
        opened.samba.add_user("clerk")
        for option, value in (
            ("fsrvpd:metrics port", str(PORT)),
            ("fsrvpd:snapshot group", "members"),
        ):
            opened.samba.set_option(option, value)
        opened.daemon.stop()
        opened.samba.reload()
        daemon = FsrvpdProcess(opened.lab, opened.samba, debug_level=1)
        daemon.start(SYSTEMD)
        yield opened._replace(daemon=daemon)


def start(soak: Soak, pool: ThreadPoolExecutor, agents: Dict[str, RawAgent]) -> List[Future[Any]]:
    nas = soak.nas
    servers = attackers.addresses(nas.lab, 4)
    stopped = StoppableVolume(nas.lab, "stopped")
    nas.samba.set_share(Share("stopped", stopped.directory))
    nas.samba.reload()
    work: List[Callable[[], None]] = [
        *(Operator(soak, agent, share).make_sets for share, agent in agents.items()),
        lambda: ask_as_admin(soak),
        lambda: hold_pipes(soak, attackers.ANONYMOUS, servers),
        lambda: hold_pipes(soak, User("clerk"), servers),
        lambda: hold_connections(soak, PORT, b"GET /metrics HTTP/1.1\r\nX: "),
        lambda: hold_connections(soak, nas.samba.place("pid directory") / SNAP_SOCKET, b'{"a'),
        lambda: flood_with_binds(soak, servers[0]),
        lambda: send_slowly(soak, "10.78.0.1"),
        lambda: hang_storage(soak, stopped),
        lambda: spoil_trees(soak),
    ]
    return [pool.submit(each) for each in work]


def test_attackers_side_by_side(nas: Nas) -> None:
    nas.lab.run(["ip", "address", "add", "10.77.0.1/24", "dev", "lo"])
    before = Peak(0, memory_of(nas.daemon.pid), nas.daemon.log.stat().st_size)
    with ExitStack() as stack:
        agents = {
            TORTURE_SHARE: stack.enter_context(RawAgent(nas)),
            "vault": stack.enter_context(RawAgent(nas, address=attackers.addresses(nas.lab, 1)[0])),
        }
        pool = stack.enter_context(ThreadPoolExecutor(16))
        soak = Soak(nas)
        work = start(soak, pool, agents)
        peak = watch(soak, nas.daemon.pid, nas.daemon.log)
    print(f"\n{SECONDS} s: {dict(soak.counts)}")
    print({what: round(took, 3) for what, took in sorted(soak.slowest.items())})
    print(
        f"descriptors {peak.descriptors}, memory {before.memory >> 20} to {peak.memory >> 20} MiB"
    )
    print(f"log {(peak.log - before.log) >> 10} KiB")
    for each in work:
        each.result()
    assert soak.refusals == []
    late = {what: took for what, took in soak.slowest.items() if took > PROMPT * SLOWNESS}
    assert late == {}
    assert peak.descriptors < DESCRIPTORS
    assert peak.memory - before.memory < MEMORY
    assert peak.log - before.log < LOG
    assert "please report" not in nas.daemon.read_log()
    wait_until("every set is gone", lambda: nas.daemon.ask("list-sets") == [])
    assert nas.shadow_shares() == []


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
