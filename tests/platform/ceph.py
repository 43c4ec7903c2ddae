"""A Ceph cluster of one monitor, one OSD and one metadata server, all on this machine.

It runs from a tree of Debian's packages (see roots.py), must be started in namespaces that
end with the caller (mount, net, pid), and keeps everything in one directory. It has no manager
daemon, since snapshots need none.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from lab.holder import raise_loopback
from tests.platform.roots import CannotBuild, run, tree

PACKAGES = ("ceph-mon", "ceph-osd", "ceph-mds", "ceph-fuse", "ceph-common", "uuid-runtime")
PLACE = "/mnt"  # the cluster's directory as its programs see it
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon data avail crit = 1
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
bluestore block size = 1073741824
mds max snaps per dir = 1000
mds reconnect timeout = 1
client acl type = posix_acl
fuse default permissions = false
mon data = {place}/mon
osd data = {place}/osd
mds data = {place}/mds
keyring = {place}/keyring
run dir = {place}/run
admin socket = {place}/run/$name.$pid.asok
log file = {place}/log/$name.log
pid file =
crash dir = {place}/crash
"""
DAEMONS = (["ceph-mon", "-i", "a"], ["ceph-osd", "-i", "0"], ["ceph-mds", "-i", "a"])


def programs() -> Path:
    """Return the tree with Ceph in it. Raises: CannotBuild."""
    return tree("ceph", PACKAGES)


class Cluster:
    """A cluster that runs after `start`; `close` ends all its processes."""

    def __init__(self, root: Path, directory: Path) -> None:
        self._root = root
        self._directory = directory
        self._daemons: List[subprocess.Popen[bytes]] = []
        self._client: Optional[subprocess.Popen[bytes]] = None
        self._everything = root / PLACE[1:] / "everything"
        self._volumes = root / PLACE[1:] / "volumes"
        self._mounted: List[Path] = []

    def start(self) -> None:
        """Make a cluster with one file system. Raises: CannotBuild."""
        raise_loopback()
        for name in ("mon", "osd", "mds", "run", "log", "crash", "everything", "volumes"):
            (self._directory / name).mkdir(parents=True)
        fsid, store = uuid.uuid4(), uuid.uuid4()
        text = CONFIGURATION.format(fsid=fsid, place=PLACE)
        (self._directory / "ceph.conf").write_text(text)
        run(["mount", "--bind", self._directory, f"{self._root}{PLACE}"])
        run(["mount", "--rbind", "/dev", self._root / "dev"])
        run(["mount", "-t", "proc", "proc", self._root / "proc"])
        address = "[v2:127.0.0.1:3300,v1:127.0.0.1:6789]"
        monmap = f"{PLACE}/monmap"
        self._run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemon(DAEMONS[0])
        self._run("ceph", "osd", "new", store)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        self._daemon(DAEMONS[1])
        for pool in ("metadata", "data"):
            self._run("ceph", "osd", "pool", "create", pool, "8")
        self._run("ceph", "fs", "new", "cephfs", "metadata", "data")
        self._daemon(DAEMONS[2])
        self._wait_for_metadata_server()
        self._mount()

    def mount(self, name: str) -> Path:
        """Make a directory of the file system and mount it as a separate volume.

        It is a bind mount, since each ceph-fuse takes seconds to end. Returns the mount point.
        """
        point = self._volumes / name
        (self._everything / name).mkdir()
        point.mkdir()
        self._bind(point)
        self._mounted.append(point)
        return point

    def unmount(self, point: Path) -> None:
        run(["umount", "--recursive", point])
        self._mounted.remove(point)

    def cut_power(self) -> None:
        """Kill all daemons and the client, and start them again."""
        self._end(self._client)
        for point in (*self._mounted, self._everything):
            run(["umount", "--lazy", point])
        self._end(*self._daemons)
        self._daemons = []
        for daemon in DAEMONS:
            self._daemon(daemon)
        self._wait_for_metadata_server()
        self._mount()
        for point in self._mounted:
            self._bind(point)

    def close(self) -> None:
        """Kill all processes; the cluster's data is not needed any more."""
        self._end(self._client, *self._daemons)
        for path in (f"{self._root}{PLACE}", self._root / "proc", self._root / "dev"):
            run(["umount", "--recursive", "--lazy", path])

    def _mount(self) -> None:
        """Mount the file system with ceph-fuse. Raises: CannotBuild."""
        device = self._volumes.stat().st_dev
        client = self._client = self._popen(["ceph-fuse", "-f", f"{PLACE}/everything"])
        _wait("ceph-fuse mounts", lambda: _serves(client, self._everything, device))

    def _bind(self, point: Path) -> None:
        run(["mount", "--bind", self._everything / point.name, point])

    def _daemon(self, argv: List[str]) -> None:
        self._daemons.append(self._popen([*argv, "-f"]))

    def _end(self, *processes: Optional[subprocess.Popen[bytes]]) -> None:
        for process in filter(None, processes):
            process.kill()
            process.wait()

    def _wait_for_metadata_server(self) -> None:
        def active() -> bool:
            return "up:active" in self._run("ceph", "mds", "stat")

        _wait("the metadata server is active", active)

    def _argv(self, argv: List[str]) -> List[str]:
        return ["env", f"CEPH_CONF={PLACE}/ceph.conf", "chroot", str(self._root), *argv]

    def _run(self, *argv: object) -> str:
        """Run a program to its end. Raises: CannotBuild if it waits for a daemon that ended."""
        try:
            return run(self._argv([str(word) for word in argv]), timeout=60)
        except subprocess.TimeoutExpired as error:
            ended = [daemon for daemon in self._daemons if daemon.poll() is not None]
            raise CannotBuild(_waited_in_vain(argv, ended)) from error

    def _popen(self, argv: List[str]) -> subprocess.Popen[bytes]:
        with (self._directory / "log" / f"{argv[0]}.out").open("ab") as output:
            return subprocess.Popen(
                self._argv(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
            )


def _waited_in_vain(argv: Sequence[object], ended: List[subprocess.Popen[bytes]]) -> str:
    """Return why `argv` did not end: Ceph's daemons end with the number of an error."""
    what = f"{' '.join(map(str, argv))} did not end within 60 s"
    for daemon in ended:
        status = abs(daemon.returncode)
        what += f"; {daemon.args!r} ended with status {status} ({os.strerror(status)})"
    return what


def _serves(client: subprocess.Popen[bytes], point: Path, device: int) -> bool:
    if client.poll() is not None:
        raise CannotBuild(f"ceph-fuse ended with status {client.returncode}")
    return point.stat().st_dev != device


def _wait(what: str, condition: Callable[[], bool], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise CannotBuild(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.1)
