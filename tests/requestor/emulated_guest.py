"""A guest of QEMU under emulation, with Debian's kernel and guest agent, which boots in seconds.

Its root is an initramfs that is written here: busybox, the agent, a few modules. The packages are
downloaded and unpacked once, never installed.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

from lab import Lab, LabProcess
from lab.namespaces import wait_until
from tests.platform.roots import made, run

MACHINE = "amd64"
PACKAGES = ("busybox-static", "qemu-guest-agent")
KERNEL = f"linux-image-cloud-{MACHINE}"
# In the order in which they are loaded. Those that a kernel has built in are left out.
MODULES = (
    *("virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio", "virtio_pci"),
    *("virtio_blk", "virtio_console", "libcrc32c", "xfs"),
)
BOOT = 180.0  # s at most; on an idle machine it takes three
_TRIALS = 10
CHANNEL = "org.qemu.guest_agent.0"
# Those for a disk that is an image, and for what init does.
LINKS = (
    *("sh", "mount", "insmod", "cat", "sleep", "dd", "mkdir", "ln", "date", "mv", "sync", "kill"),
    *("pidof", "ip", "umount", "sha256sum", "ls"),
)
KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 mitigations=off"

INIT = f"""\
#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read module; do insmod /m/$module; done < /modules
while [ ! -b /dev/vda ]; do sleep 0.05; done
mount -t $(cat /filesystem 2>/dev/null || echo ext4) /dev/vda /data
mkdir /dev/virtio-ports
for port in /sys/class/virtio-ports/vport*; do
  ln -s ../${{port##*/}} /dev/virtio-ports/$(cat $port/name)
done
case "$(cat /proc/cmdline)" in *writing*) sh /writing & ;; esac
[ ! -e /command ] || sh /command &
while :; do
  qemu-ga -m virtio-serial -p /dev/virtio-ports/{CHANNEL} -t /run -F/hook
  sleep 1
done
"""
HOOK = b"#!/bin/sh\necho HOOK $1 > /dev/console\n"
WRITING = """\
mkdir -p /data/w
while :; do
  number=$((number + 1))
  dd if=/dev/urandom of=/data/w/new bs=8k count=4 conv=fsync 2> /dev/null
  mv /data/w/new /data/w/file$((number % 64))
  sync
  [ $number != 10 ] || echo WRITING > /dev/console
done
"""


def packages() -> Path:
    """The unpacked packages: boot/vmlinuz-*, lib/modules, bin/busybox, usr/sbin/qemu-ga. Raises:
    CannotBuild."""
    wanted = [*PACKAGES, kernel_package()]

    def make(target: Path) -> None:
        target.mkdir()
        downloads = target / "downloads"
        downloads.mkdir()
        run(["sh", "-ec", 'cd "$1"; shift; apt-get -qq download "$@"', "sh", downloads, *wanted])
        for archive in downloads.glob("*.deb"):
            run(["dpkg-deb", "-x", archive, target])

    return made("emulated-guest", wanted, make)


@lru_cache
def kernel_package() -> str:
    """The newest kernel that apt knows."""
    found = re.search(r"linux-image-[0-9]\S*", run(["apt-cache", "depends", KERNEL]))
    assert found, f"{KERNEL} depends on no kernel"
    return found[0]


def shortest(trial: Callable[[], float], enough: float) -> float:
    """The least of the seconds that some trials return, the last of which is short enough, if one
    is: a machine that has much else to do takes longer now and then."""
    times = [trial()]
    while times[-1] >= enough and len(times) < _TRIALS:
        times.append(trial())
    return min(times)


class Archive:
    """An initramfs in the format newc, as the kernel's documentation describes it."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._directories = {""}
        self._number = 0

    def add(
        self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        parent = os.path.dirname(name)
        if parent not in self._directories:
            self._directories.add(parent)
            self.add(parent, stat.S_IFDIR | 0o755)
        self._number += 1
        encoded = name.encode() + b"\0"
        numbers = (self._number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        self._append(b"070701" + "".join(f"{each:08x}" for each in numbers).encode() + encoded)
        self._append(data)

    def directory(self, name: str) -> None:
        if name not in self._directories:
            self._directories.add(name)
            self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, data: bytes) -> None:
        self.add(name, stat.S_IFREG | 0o755, data)

    def link(self, name: str, target: str) -> None:
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def program(self, name: str, path: Path) -> None:
        """With its libraries, which are this machine's."""
        self.file(name, path.read_bytes())
        for library in re.findall(r"(/\S+) \(0x", run(["ldd", path])):
            if library.lstrip("/") not in self._directories:
                self._directories.add(library.lstrip("/"))
                self.file(library.lstrip("/"), Path(library).read_bytes())

    def written(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._data)

    def _append(self, data: bytes) -> None:
        self._data += data + bytes(-(len(self._data) + len(data)) % 4)


def initramfs(modules: Sequence[str] = (), files: Optional[Mapping[str, bytes]] = None) -> bytes:
    """With further modules, and further files in its root; one called `command` is run."""
    unpacked = packages()
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "tmp", "data", "mnt", "var/run"):
        archive.directory(name)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    archive.file("bin/busybox", (unpacked / "bin/busybox").read_bytes())
    for name in LINKS:
        archive.link(f"bin/{name}", "busybox")
    archive.program("sbin/qemu-ga", unpacked / "usr/sbin/qemu-ga")
    there = {path.stem.replace("-", "_"): path for path in unpacked.glob("lib/modules/**/*.ko")}
    loaded = [name for name in (*MODULES, *modules) if name in there]
    for name in loaded:
        archive.file(f"m/{there[name].name}", there[name].read_bytes())
    archive.file("modules", "".join(f"{there[name].name}\n" for name in loaded).encode())
    of_root = {"init": INIT.encode(), "writing": WRITING.encode(), "hook": HOOK}
    for name, data in {**of_root, **(files or {})}.items():
        archive.file(name, data)
    return archive.written()


def kernel() -> Path:
    [found] = (packages() / "boot").glob("vmlinuz-*")
    return found


class EmulatedGuest:
    """A guest in a lab, whose disk is an image of the lab. Its agent's socket is `socket`."""

    def __init__(
        self,
        lab: Lab,
        image: Path,
        *,
        name: str = "guest",
        archive: Optional[bytes] = None,
        arguments: str = "writing",
        more: Sequence[str] = (),
    ) -> None:
        self.lab = lab
        self.socket = lab.directory / f"{name}.agent"
        self._console = lab.directory / f"{name}.console"
        written = lab.directory / f"{name}.initramfs"
        written.write_bytes(initramfs() if archive is None else archive)
        self.argv = [
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-display", "none", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "192"),
            *("-kernel", str(kernel()), "-initrd", str(written)),
            *("-append", f"{KERNEL_ARGUMENTS} {arguments}"),
            *("-chardev", f"file,id=console,path={self._console}", "-serial", "chardev:console"),
            *("-drive", f"if=none,id=disk,file={image},format=raw,cache=none,aio=threads"),
            *("-device", "virtio-blk-pci,drive=disk"),
            *("-chardev", f"socket,path={self.socket},server=on,wait=off,id=agent"),
            *("-device", "virtio-serial-pci"),
            *("-device", f"virtserialport,chardev=agent,name={CHANNEL}"),
            *more,
        ]
        self.process = self._start()

    @property
    def seen(self) -> Path:
        """The socket, for a process outside of the lab."""
        return self.lab.seen(self.socket)

    def ask(self, command: str, timeout: float = 5.0, **arguments: object) -> Any:
        """What the agent returns. Raises: OSError, KeyError for an error of the agent."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self.seen))
            stream = connection.makefile("rb")
            for message in (
                {"execute": "guest-sync-delimited", "arguments": {"id": 4711}},
                {"execute": command, **({"arguments": arguments} if arguments else {})},
            ):
                connection.sendall(json.dumps(message).encode() + b"\n")
            while b'\xff{"return": 4711}' not in stream.readline():
                pass
            return json.loads(stream.readline())["return"]

    def status(self) -> str:
        """Whether it is frozen; "" while the agent does not answer."""
        try:
            return str(self.ask("guest-fsfreeze-status"))
        except OSError:
            return ""

    def run(self, script: str) -> None:
        """In the guest, in the background."""
        self.ask("guest-exec", path="/bin/sh", arg=["-c", script])

    def wait_until_up(self) -> None:
        wait_until("the guest's agent answers", lambda: self.status() == "thawed", timeout=BOOT)

    def hooks(self, word: str) -> int:
        """How often the agent has called its hook to `freeze` or to `thaw`."""
        return self.console().count(f"HOOK {word}")

    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def _start(self) -> LabProcess:
        return self.lab.popen(self.argv, output=self.lab.directory / "qemu.output")

    def wait_for_console(self, text: str) -> None:
        wait_until(f"the guest says {text}", lambda: text in self.console(), timeout=BOOT)

    def restart(self) -> None:
        self.process.kill()
        self.process = self._start()
