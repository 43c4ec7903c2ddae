"""A Debian with systemd as its first process, in namespaces and a control group of its own."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

from lab import Lab
from lab.namespaces import wait_until
from tests.interop.debian import PACKAGES, Debian, open_debian

SYSTEMD = "/lib/systemd/systemd"
MORE_PACKAGES = (
    *(package for package in PACKAGES if not package.startswith("systemd-standalone")),
    "btrfs-progs",
    "python3-gssapi",
    "python3-prometheus-client",
    "samba-vfs-modules",
    "systemd",
    "systemd-sysv",
)
# Only the first process may be in the control group when systemd takes it over. None of the
# machine's devices is visible, so that none can be changed.
BOOT = r"""
set -e
root=$1 group=$2
echo 0 >"$group/cgroup.procs"
exec unshare --mount --uts --ipc --cgroup sh -e -c '
    root=$1
    mount -t proc proc $root/proc
    mount -t sysfs -o ro sysfs $root/sys
    mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
    mount -t tmpfs -o mode=0755 tmpfs $root/run
    umount $root/dev
    mount -t tmpfs -o mode=0755 tmpfs $root/dev
    for name in null zero full random urandom tty; do
        touch $root/dev/$name
        mount --bind /dev/$name $root/dev/$name
    done
    mkdir $root/dev/pts $root/dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts $root/dev/pts
    ln -s pts/ptmx $root/dev/ptmx
    ln -s /proc/self/fd $root/dev/fd
    cd $root
    mkdir -p before
    pivot_root . before
    umount -l /before
    exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --log-target=null --unit=multi-user.target
' sh "$root"
"""


class Booted(NamedTuple):
    """A system that runs services as any machine does."""

    debian: Debian
    init: int

    def run(
        self, *argv: str, check: bool = True, input: Optional[str] = None
    ) -> subprocess.CompletedProcess[str]:
        everything = ["-m", "-u", "-i", "-n", "-p", "-C", "-r", "--wdns=/"]
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        return self.debian.lab.run(
            ["nsenter", "-t", str(self.init), *everything, "--", *argv],
            check=check,
            input=input,
            timeout=180,
            environment=environment,
        )

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def active(self, unit: str) -> bool:
        return self.show(unit, "ActiveState") == "active"


@contextmanager
def open_booted(packages: Path) -> Iterator[Booted]:
    """Boot a system with smbd, a btrfs and an XFS volume, and the directory of `packages`."""
    with open_debian(packages, "booted", MORE_PACKAGES) as debian:
        lab = debian.lab
        lab.run(["rm", debian.root / "usr/sbin/policy-rc.d"])  # let services start
        lab.run(["tee", debian.root / "etc/hosts"], input="127.0.0.1 localhost nas\n")
        lab.run(["tee", debian.root / "etc/hostname"], input="nas\n")
        lab.run(["mkdir", debian.root / "srv/vault"])
        lab.run(["mount", "--bind", lab.volume("xfs", "vault"), debian.root / "srv/vault"])
        group = make_group(lab)
        try:
            apart = ["unshare", "--pid", "--fork", "--kill-child"]
            log = lab.directory / "boot.log"
            lab.popen([*apart, "sh", "-c", BOOT, "sh", debian.root, group], output=log)
            wait_until("systemd", lambda: bool(first_processes(lab)))
            booted = Booted(debian, first_processes(lab)[0])
            wait_until("systemd answers", lambda: running(booted))
            yield booted
        finally:
            for pid in first_processes(lab):
                lab.run(["kill", "-KILL", str(pid)])
            wait_until("the end of the control group", lambda: gone(lab, group))


def make_group(lab: Lab) -> Path:
    """Make a control group for this system alone, wherever the machine mounts its own.

    Groups left by killed tests are removed as well: nothing else removes them.
    """
    mounted = lab.directory / "groups"
    mounted.mkdir()
    lab.run(["mount", "-t", "cgroup2", "groups", mounted])
    for old in lab.seen(mounted).glob("fsrvpd-lab.*"):
        if not Path("/proc", old.name.split(".")[1]).exists():
            gone(lab, mounted / old.name)
    group = mounted / lab.directory.name
    lab.run(["mkdir", group])
    return group


def gone(lab: Lab, group: Path) -> bool:
    """Remove the group and the groups in it. Returns False while a process still runs there."""
    lab.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], check=False)
    return not lab.seen(group).exists()


def first_processes(lab: Lab) -> list[int]:
    return [
        pid
        for pid, argv in lab.processes().items()
        if argv[0] == SYSTEMD and "--unit=multi-user.target" in argv
    ]


def running(booted: Booted) -> bool:
    said = booted.run("systemctl", "is-system-running", "--wait", check=False).stdout
    return said.strip() in ("running", "degraded")
