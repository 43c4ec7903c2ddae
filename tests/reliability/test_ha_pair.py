"""A role that moves between two hosts, with its disks and Samba's state directory, as Pacemaker
moves it. Each host is a lab; what both of them see is in a third one, which mounts nothing.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Iterator, Optional

import pytest

from fsrvpd.core.messages import Opnum
from lab import FsrvpdProcess, Lab, Samba, Share, fss
from lab.namespaces import wait_until
from tests.interop.nas import Nas
from tests.interop.raw_agent import RawAgent

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
OPTIONS = {
    "netbios name": "FS1",  # the role's
    "fsrvpd:require rpc integrity": "no",  # rpcclient does not sign
    "fsrvpd:reboot ends sets": "no",
}


class Pair:
    """One host has the role, or none. `state` and `data` are the disks that move."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.state = lab.volume("ext4", "state", 64 << 20)
        self.data = lab.volume("btrfs", "data")
        for name in ("private", "samba"):
            lab.run(["mkdir", self.state / name])
        share = self.data / "share"
        lab.run(["btrfs", "--quiet", "subvolume", "create", share])
        lab.run(["chmod", "0777", share])
        for disk in (self.state, self.data):
            lab.unmount(disk)
        self._hosts = 0
        self._host: Optional[Lab] = None

    def take(self, *, data: bool = True) -> Nas:
        """Another host mounts the disks, and starts smbd and fsrvpd."""
        self._hosts += 1
        self._host = host = Lab()
        another = host.directory / "boot_id"
        another.write_text(f"00000000-0000-4000-8000-{self._hosts:012}\n")
        host.run(["mount", "--bind", another, BOOT_ID])
        self.mount(self.state)
        if data:
            self.mount(self.data)
        moved = {"private dir": "private", "state directory": "samba"}
        places = {option: str(self.state / name) for option, name in moved.items()}
        share = Share("docs", self.data / "share")
        samba = Samba(host, [share], {**OPTIONS, **places})
        samba.start()
        daemon = FsrvpdProcess(host, samba)
        daemon.start()
        return Nas(host, samba, daemon, {"data": self.data})

    def mount(self, disk: Path) -> None:
        assert self._host is not None
        self._host.run(["mount", "-o", "loop", self._image(disk), disk])

    def hand_over(self, nas: Nas) -> None:
        """A planned move: the members of the group stop, and docs/cluster.md's unit ends mounts."""
        nas.daemon.stop()
        nas.lab.run(["sh", "-c", "umount -l /run/fsrvpd/shares/*/copies/*"])
        nas.samba.stop()
        for disk in (self.data, self.state):
            wait_until(f"{disk} is unmounted", partial(self._unmount, disk))
        self.die()

    def _unmount(self, disk: Path) -> bool:
        """Unless a process of smbd, which ends after smbd itself, still has it."""
        assert self._host is not None
        return self._host.run(["umount", disk], check=False).returncode == 0

    def die(self) -> None:
        """The host ends with all that runs on it, and lets go of the disks."""
        if self._host is None:
            return
        self._host.close()
        self._host = None
        for disk in (self.state, self.data):
            wait_until(f"nobody has {disk}", partial(self._is_free, disk))

    def _is_free(self, disk: Path) -> bool:
        return not self.lab.run(["losetup", "-j", self._image(disk)]).stdout

    def _image(self, disk: Path) -> Path:
        return disk.with_suffix(".img")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Lab() as lab, ExitStack() as stack:
        pair = Pair(lab)
        stack.callback(pair.die)
        yield pair


@contextmanager
def agent_at(nas: Nas) -> Iterator[RawAgent]:
    """A client that may lose its server."""
    agent = RawAgent(nas)
    try:
        yield agent
    finally:
        agent.hang_up()


def statuses(nas: Nas) -> list[str]:
    return [each["status"] for each in nas.daemon.ask("list-sets")]


def assert_nothing_is_left(nas: Nas) -> None:
    wait_until("no set is left", lambda: statuses(nas) == [])
    assert nas.shadow_shares() == []
    assert nas.snapshots() == []
    assert nas.mounts() == []


def test_a_copy_is_valid_at_the_other_host(pair: Pair) -> None:
    first = pair.take()
    first.samba.write("docs", "file", "before")
    (copy,) = fss.create_expose(first.samba, "docs")
    first.samba.write("docs", "file", "after")
    pair.die()

    second = pair.take()
    assert statuses(second) == ["Exposed"]
    assert second.samba.read(copy.share, "file") == "before"
    assert second.samba.read("docs", "file") == "after"
    assert fss.get_mapping(second.samba, copy) == copy
    fss.recovery_complete(second.samba, copy)
    pair.hand_over(second)

    third = pair.take()
    assert statuses(third) == ["Recovered"]
    assert third.samba.read(copy.share, "file") == "before"
    fss.delete(third.samba, copy)
    assert_nothing_is_left(third)
    assert [call.method for call in third.daemon.calls()][-1] == "DeleteShareMapping"


@pytest.mark.parametrize("last", [Opnum.PrepareShadowCopySet, Opnum.CommitShadowCopySet])
def test_a_creation_that_the_move_interrupts(pair: Pair, last: Opnum) -> None:
    """A set of which nothing is on the disk has ended; a committed one goes on."""
    first = pair.take()
    with agent_at(first) as agent:
        set_id = agent.start()
        copy_id = agent.add(set_id, "docs")
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        if last is Opnum.CommitShadowCopySet:
            agent.advance(last, set_id)
        pair.die()

    second = pair.take()
    with agent_at(second) as agent:
        if last is Opnum.CommitShadowCopySet:
            assert statuses(second) == ["Committed"]
            agent.advance(Opnum.ExposeShadowCopySet, set_id)
            assert agent.mapping(set_id, copy_id, "docs").copy_id == copy_id
            agent.must(Opnum.AbortShadowCopySet, set_id)
            assert second.daemon.calls()[-1].method == "AbortShadowCopySet"
        assert_nothing_is_left(second)
    (copy,) = fss.create_expose(second.samba, "docs")
    fss.recovery_complete(second.samba, copy)
    fss.delete(second.samba, copy)
    assert_nothing_is_left(second)


def test_a_host_dies_while_a_job_runs(pair: Pair) -> None:
    """Wherever it had come to: the set is whole at the other host, or it has ended."""
    first = pair.take()
    with agent_at(first) as agent:
        set_id = agent.start()
        agent.add(set_id, "docs")
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        agent.begin(Opnum.CommitShadowCopySet, set_id + (60_000).to_bytes(4, "little"))
        pair.die()

    second = pair.take()
    wait_until("no job runs", lambda: second.daemon.ask("status")["sets_with_jobs"] == 0)
    if statuses(second):
        assert statuses(second) == ["Committed"]
        with agent_at(second) as agent:
            agent.must(Opnum.AbortShadowCopySet, set_id)
    assert_nothing_is_left(second)


def test_a_disk_that_comes_late_brings_its_copies_back(pair: Pair) -> None:
    first = pair.take()
    first.samba.write("docs", "file", "before")
    (copy,) = fss.create_expose(first.samba, "docs")
    fss.recovery_complete(first.samba, copy)
    pair.die()

    second = pair.take(data=False)
    second.daemon.ask("prune")
    assert statuses(second) == ["Recovered"]
    assert copy.share in second.shadow_shares()
    assert "event=volume-absent" in second.daemon.read_log()
    pair.mount(pair.data)
    second.daemon.ask("prune")  # as the log has asked for
    assert second.samba.read(copy.share, "file") == "before"
    fss.delete(second.samba, copy)
    assert_nothing_is_left(second)
