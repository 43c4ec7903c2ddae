"""Many shares in smb.conf, and many copies: what the daemon asks Samba's library and the kernel
for, counted through smbd."""

from __future__ import annotations

import platform
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share, fss
from lab.namespaces import wait_until

SHARES = 600
COPIES, COPIES_OF_A_SET = 200, 50
LISTS_MOUNTS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 8)
MOUNT_TABLE = re.compile(r"read\(\d+</proc/\d+/mountinfo>.* = (\d+)$", re.MULTILINE)
ASKED = "registry worker: "


class Server:
    """A server with many shares, whose daemon logs what it asks the registry worker for."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.volume = lab.volume("btrfs", "volume")
        names = [f"u{number:05}" for number in range(SHARES)]
        lab.run(["mkdir", *(self.volume / name for name in names)])
        shares = [Share(name, self.volume / name) for name in names]
        options = {"fsrvpd:require rpc integrity": "no", "fsrvpd:shared volumes": "yes"}
        self.samba = Samba(lab, shares, options)
        self.samba.start()
        self.daemon = FsrvpdProcess(lab, self.samba, debug_level=10)
        self.daemon.start()
        self.daemon.ask("prune", "--dry-run")  # waits for the comparison at the start

    @contextmanager
    def mount_table(self, directory: Path) -> Iterator[list[int]]:
        """The bytes of each time that the daemon reads of the kernel's table of mounts in the
        block."""
        found: list[int] = []
        output, said = directory / "calls", directory / "said"
        argv = ["strace", "-f", "-y", "-e", "trace=read", "-o", output, "-p", self.daemon.pid]
        with said.open("w") as errors:
            strace = subprocess.Popen([str(word) for word in argv], stderr=errors)
        wait_until("strace is attached", lambda: "attached" in said.read_text())
        yield found
        strace.send_signal(signal.SIGINT)
        strace.wait(20)
        found += map(int, MOUNT_TABLE.findall(output.read_text()))

    @contextmanager
    def requests(self) -> Iterator[list[str]]:
        """The names of those that are made in the block."""
        found: list[str] = []
        before = len(self.daemon.read_log())
        yield found
        lines = self.daemon.read_log()[before:].splitlines()
        found += [line.partition(ASKED)[2] for line in lines if ASKED in line]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Lab() as lab:
        yield Server(lab)


def test_all_shares_are_read_in_a_few_requests(server: Server) -> None:
    log = server.daemon.read_log()
    assert log.count(f"{ASKED}shares") < SHARES / 20
    with server.requests() as made:
        server.daemon.ask("prune", "--dry-run")
        server.daemon.command("check-config")
    assert made.count("shares") < 5
    server.samba.conf.touch()
    with server.requests() as made:
        server.daemon.ctl("reload-config")
    assert 1 < made.count("shares") < SHARES / 20


def test_a_change_of_ours_leaves_what_is_known_and_one_of_others_does_not(server: Server) -> None:
    [copy] = fss.create_expose(server.samba, "u00001")  # proves that our daemon answers
    assert server.daemon.calls()
    with server.requests() as made:
        fss.delete(server.samba, copy)
        [copy] = fss.create_expose(server.samba, "u00001")
        server.samba.rpcclient("fss_is_path_sup u00002")
        fss.delete(server.samba, copy)
        server.daemon.ask("list-snapshots")
    assert "unexpose" in made
    assert "expose" in made
    assert "shares" not in made
    server.samba.net("conf", "setparm", "global", "fsrvp:x", "y")
    with server.requests() as made:
        server.samba.rpcclient("fss_is_path_sup u00002")
    assert made.count("shares") == 1


@pytest.mark.skipif(not LISTS_MOUNTS, reason="Linux before 6.8 shows all mounts or none")
def test_what_others_make_does_not_grow_with_the_copies(server: Server, tmp_path: Path) -> None:
    """Each copy is a mount and a share of the registry: neither its own set nor what is there
    already makes the next lookup read all mounts, or any definition."""
    for first in range(100, 100 + COPIES, COPIES_OF_A_SET):
        shares = range(first, first + COPIES_OF_A_SET)
        [copy, *_] = fss.create_expose(server.samba, *(f"u{number:05}" for number in shares))
        fss.recovery_complete(server.samba, copy)  # so that the next set does not replace it
    server.samba.rpcclient("fss_is_path_sup u00001")
    with server.requests() as made, server.mount_table(tmp_path) as read:
        for _ in range(3):
            [copy] = fss.create_expose(server.samba, "u00001")
            fss.delete(server.samba, copy)
        server.samba.rpcclient("fss_is_path_sup u00001")
    assert made.count("expose") == 3
    assert "shares" not in made
    assert read == []
    with server.mount_table(tmp_path) as read:
        server.lab.run(["mount", "-t", "tmpfs", "tmpfs", server.volume / "u00002"])
        said = server.samba.rpcclient("fss_is_path_sup u00002", check=False)
    assert "0x8004230c" in said.stdout + said.stderr
    assert sum(read) > COPIES * 100
