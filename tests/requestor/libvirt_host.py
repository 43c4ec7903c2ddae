"""libvirtd in a lab, without systemd, and a domain under emulation with an agent."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from lab import Lab
from lab.namespaces import CommandFailed, wait_until
from tests.requestor.emulated_guest import BOOT, CHANNEL, KERNEL_ARGUMENTS, initramfs, kernel

NAME = "web"
URI = "qemu:///system"
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
LIBVIRTD_CONF = """
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
host_uuid = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
"""
DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>192</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{arguments} writing</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='{image}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'/>
    <channel type='unix'><target type='virtio' name='{channel}'/></channel>
    <serial type='file'><source path='{console}'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class LibvirtHost:
    """`start` boots the domain, whose only disk is `image`, an ext4 that it writes to."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.image = lab.directory / "vm.img"
        self.console = lab.directory / "console"
        self._configure()
        self._daemon = lab.popen(["libvirtd"], output=lab.directory / "libvirtd.output")
        wait_until("libvirtd answers", lambda: self._answers("list"), timeout=60)
        lab.run(["truncate", "-s", "256M", self.image])
        lab.run(["mkfs.ext4", "-q", self.image])

    def start(self) -> None:
        initrd = self.lab.directory / "initramfs"
        initrd.write_bytes(initramfs())
        xml = DOMAIN.format(
            name=NAME,
            kernel=kernel(),
            initrd=initrd,
            arguments=KERNEL_ARGUMENTS,
            image=self.image,
            channel=CHANNEL,
            console=self.console,
        )
        path = self.lab.directory / "domain.xml"
        path.write_text(xml)
        self.virsh("create", str(path))
        wait_until("the guest writes", lambda: "WRITING" in self._said(), timeout=BOOT)
        wait_until("the agent answers", lambda: self.status() == "thawed", timeout=BOOT)

    def status(self) -> str:
        """Whether the guest is frozen; "" while its agent does not answer."""
        question = '{"execute": "guest-fsfreeze-status"}'
        with suppress(CommandFailed):
            said = self.virsh("qemu-agent-command", NAME, question)
            return "frozen" if "frozen" in said else "thawed"
        return ""

    def virsh(self, *words: str) -> str:
        """Raises: CommandFailed."""
        return self.lab.run(["virsh", "--connect", URI, *words]).stdout

    def run(self, script: str) -> None:
        """In the guest, in the background."""
        arguments = {"path": "/bin/sh", "arg": ["-c", f"sleep 0.5; {script}"]}
        question = json.dumps({"execute": "guest-exec", "arguments": arguments})
        self.virsh("qemu-agent-command", NAME, question)

    def hooks(self, word: str) -> int:
        """How often the agent has called its hook to `freeze` or to `thaw`."""
        return self._said().count(f"HOOK {word}")

    def _said(self) -> str:
        return self.console.read_text() if self.console.exists() else ""

    def restart_libvirtd(self) -> None:
        self._daemon.kill()
        self._daemon = self.lab.popen(["libvirtd"], output=self.lab.directory / "libvirtd.output")
        wait_until("libvirtd answers", lambda: self._answers("list"), timeout=60)

    def _answers(self, *words: str) -> bool:
        with suppress(CommandFailed):
            self.virsh(*words)
            return True
        return False

    def _configure(self) -> None:
        """In place of the machine's: /etc/libvirt, and the user that the QEMU driver asks for."""
        etc = self.lab.directory / "etc-libvirt"
        etc.mkdir()
        (etc / "qemu.conf").write_text(QEMU_CONF)
        (etc / "libvirtd.conf").write_text(LIBVIRTD_CONF)
        self.lab.run(["mount", "--bind", etc, "/etc/libvirt"])
        for name, line in (
            ("passwd", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n"),
            ("group", "libvirt-qemu:x:64055:\n"),
        ):
            path = self.lab.directory / name
            text = Path("/etc", name).read_text()
            path.write_text(text if "libvirt-qemu:" in text else text + line)
            self.lab.run(["mount", "--bind", path, f"/etc/{name}"])
        for place in ("/var/cache", "/var/log"):
            self.lab.run(["mount", "-t", "tmpfs", "tmpfs", place])
