"""A machine with Debian's kernel, emulated: for storage that this machine's kernel lacks.

No hardware virtualisation is used: where these tests run it is missing or, worse, only seems
to be there. The guest's root is a tree from the cache, and changes to it are lost. The project
has the same path as here and is read-only. The guest ends with its command as in a power cut:
nothing is synced.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import List, Sequence

from tests.platform.kernel import version
from tests.platform.roots import CannotBuild, run, tree

PROJECT = Path(__file__).parents[2]
PACKAGES = (
    *("acl", "attr", "btrfs-progs", "e2fsprogs", "xfsprogs", "mount", "util-linux", "kmod"),
    *("dmsetup", "lvm2", "thin-provisioning-tools", "udev", "zfsutils-linux", "python3"),
)
SAMBA = ("samba", "samba-vfs-modules", "smbclient", "iproute2")
# In this order, each after those that it needs. The guest loads all other modules by itself.
EARLY_MODULES = ("virtio_pci", "virtio_rng", "9pnet_virtio", "9p", "overlay")
KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 quiet mitigations=off"
SHARES = ("root", "kernel", "project", "host")

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod /m/$module; done
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o ro,cache=loose,$options root /lower
mount -t tmpfs -o size=100% changes /changes
mkdir /changes/upper /changes/work
mount -t overlay -o lowerdir=/lower,upperdir=/changes/upper,workdir=/changes/work root /root
cd /root
mount -t proc proc proc
mount -t sysfs sys sys
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm host kernel lib/modules
mount -t tmpfs run run
mount -t tmpfs shm dev/shm
mount -t tmpfs -o size=100% tmp tmp
mkdir -p "./$PROJECT"
mount -t 9p -o $options host host
mount -t 9p -o ro,cache=loose,$options kernel kernel
mount -t 9p -o ro,cache=loose,$options project "./$PROJECT"
mount -o bind kernel/lib/modules lib/modules
exec switch_root /root /bin/sh /host/init
"""
SECOND_INIT = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mkdir -p /run/lock
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle
modprobe -a loop {modules}
cd {project}
{environment} {command} > /host/output 2>&1
echo $? > /host/status
echo o > /proc/sysrq-trigger
sleep 60
"""


def programs() -> Path:
    """Return the guest's root. Raises: CannotBuild."""
    return tree("guest", PACKAGES)


def programs_with_samba() -> Path:
    """Return a root that has smbd in it as well. Raises: CannotBuild."""
    return tree("guest-samba", (*PACKAGES, *SAMBA))


class Guest:
    """A guest that boots for each `run`. A context manager."""

    def __init__(self, root: Path, kernel: Path, modules: Sequence[str] = ()) -> None:
        """Prepare a guest. `modules` are loaded before the command runs."""
        self._root, self._kernel, self._wanted = root, kernel, modules
        self._work = Path(tempfile.mkdtemp(prefix="fsrvpd-guest."))
        self.host = self._work / "host"  # /host in the guest
        self.host.mkdir()
        self._initrd = self._make_initrd()

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._work)

    def run(self, argv: Sequence[object], timeout: float, **environment: str) -> int:
        """Run a command and print its output. Returns its exit status. Raises: CannotBuild."""
        words = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
        command = shlex.join(str(word) for word in argv)
        script = SECOND_INIT.format(
            project=shlex.quote(str(PROJECT)),
            modules=shlex.join(self._wanted),
            environment=" ".join(words),
            command=command,
        )
        (self.host / "init").write_text(script)
        for name in ("status", "output"):
            (self.host / name).unlink(missing_ok=True)
        self._boot(timeout)
        print(self._read("output"), flush=True)
        status = self._read("status").strip()
        if not status:
            raise CannotBuild(f"the guest ended early\n{self._read('console')[-3000:]}")
        return int(status)

    def _read(self, name: str) -> str:
        path = self.host / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _boot(self, timeout: float) -> None:
        argv = [
            *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", "2", "-m", "2048", "-display", "none", "-nodefaults", "-no-reboot"),
            *("-monitor", "none", "-nic", "none", "-serial", f"file:{self.host}/console"),
            *("-device", "virtio-rng-pci"),
            *("-kernel", str(next((self._kernel / "boot").glob("vmlinuz-*")))),
            *("-initrd", str(self._initrd), "-append", KERNEL_ARGUMENTS),
            *self._shares(),
        ]
        try:
            subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=timeout, check=False)
        except FileNotFoundError as error:
            raise CannotBuild(f"{argv[0]} is not installed") from error
        except subprocess.TimeoutExpired:
            tail = self._read("output")[-2000:]
            raise CannotBuild(f"the guest did not end in {timeout:g} s\n{tail}") from None

    def _shares(self) -> List[str]:
        words = []
        places = (self._root, self._kernel, PROJECT, self.host)
        for name, path in zip(SHARES, places):
            access = "" if name == "host" else ",readonly=on"
            options = f"local,id={name},path={path},security_model=none,multidevs=remap{access}"
            words += ["-fsdev", options]
            words += ["-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
        return words

    def _make_initrd(self) -> Path:
        """Make an initrd of busybox, the modules needed to mount the root, and an init."""
        tree = self._work / "initrd"
        for name in ("bin", "m", "dev", "lower", "changes", "root"):
            (tree / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        shutil.copy("/bin/busybox", tree / "bin/sh")
        modules = self._modules()
        for module in modules:
            shutil.copy(module, tree / "m")
        run(["find", tree / "m", "-name", "*.xz", "-exec", "xz", "-d", "{}", "+"])
        names = [module.name.removesuffix(".xz") for module in modules]
        (tree / "modules").write_text("".join(f"{name}\n" for name in names))
        init = tree / "init"
        init.write_text(INIT.replace("$PROJECT", str(PROJECT)))
        init.chmod(0o755)
        made = self._work / "initrd.img"
        run(
            ["sh", "-c", 'cd "$1" && find . | cpio -o -H newc > "$2" 2>/dev/null', "sh", tree, made]
        )
        return made

    def _modules(self) -> List[Path]:
        """List the files of the modules, each after those that it needs."""
        found: List[Path] = []
        kernel = version(self._kernel)
        for module in EARLY_MODULES:
            argv = ["modprobe", "-d", self._kernel, "-S", kernel, "--show-depends", module]
            for line in run(argv).splitlines():
                kind, _, path = line.partition(" ")
                if kind == "insmod" and Path(path.strip()) not in found:
                    found.append(Path(path.strip()))
        return found


def python() -> str:
    """Return the project's Python, which has the same path in the guest."""
    return os.path.join(PROJECT, ".venv/bin/python")
