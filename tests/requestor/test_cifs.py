"""`mount --cifs` in an emulated guest with Debian's kernel, which has cifs: this machine's may not.

The guest's disk holds Python, mount.cifs and fsrvpshadow. From there the NAS is 10.0.2.2.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Iterator

import pytest

from lab.namespaces import wait_until
from tests.paths import PACKAGE
from tests.platform.roots import run
from tests.requestor.backup_host import Nas, open_nas
from tests.requestor.command_host import HOST
from tests.requestor.emulated_guest import EmulatedGuest, initramfs, packages

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

LIBRARIES = ("smbprotocol", "spnego", "cryptography", "_cffi_backend*.so")
PROGRAMS = (Path(sys.executable).resolve(), Path("/usr/sbin/mount.cifs"))
MODULES = (
    *("failover", "net_failover", "virtio_net", "cifs_md4", "netfs", "fscache", "dns_resolver"),
    *("cifs_arc4", "cifs", "cmac", "sha512_generic", "gcm", "ctr", "gf128mul", "ghash_generic"),
)
NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
MOUNT = "/run/fsrvpshadow/mnt/mount/projects"
SHADOW = "import sys; from fsrvpd.requestor.ctl.main import main; sys.exit(main())"
COMMAND = rf"""
exec > /dev/console 2>&1
alias b=/bin/busybox
b ip link set lo up; b ip link set eth0 up
b ip addr add 10.0.2.15/24 dev eth0; b ip route add default via 10.0.2.2
for each in proc sys dev; do b mount -o bind /$each /data/$each; done
export PYTHONPATH=/python PYTHONHOME=/usr HOME=/
shadow() {{ b chroot /data /python3 /shadow "$@"; }}
shadow -A /credentials mount --cifs '\\{HOST}\projects'
echo MOUNTED $?; b grep cifs /proc/mounts
b sha256sum /data{MOUNT}/folder/large; b ls /data{MOUNT}/many | b wc -l
b touch /data{MOUNT}/new; echo WRITTEN $?
shadow -A /credentials unmount mount; echo UNMOUNTED $?
b grep -c cifs /proc/mounts
echo THE END
"""


@pytest.fixture(scope="module")
def nas() -> Iterator[Nas]:
    with open_nas({"bind interfaces only": "no"}) as opened:
        yield opened


def image(nas: Nas) -> Path:
    """A file system with what the command needs."""
    root = nas.lab.directory / "root"
    for name in ("proc", "sys", "dev", "run", "tmp", "var/lib", "etc", "python", "sbin"):
        (root / name).mkdir(parents=True)
    shutil.copytree(PACKAGE, root / "python" / "fsrvpd")
    for library in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        for name in LIBRARIES:
            for path in Path(library).glob(name):
                copy = shutil.copytree if path.is_dir() else shutil.copy2
                if not (root / "python" / path.name).exists():
                    copy(path, root / "python" / path.name)
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(
        standard,
        root / str(standard).lstrip("/"),
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "site-packages", "dist-packages", "config-*"),
    )
    for path in (*PROGRAMS, *root.glob("**/*.so")):
        for library in re.findall(r"(/\S+) \(0x", run(["ldd", path])):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, target)
    for program, name in zip(PROGRAMS, ("python3", "sbin/mount.cifs")):
        shutil.copy2(program, root / name)
    (root / "shadow").write_text(SHADOW)
    (root / "etc/hosts").write_text(f"10.0.2.2 {HOST}\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files\n")
    shutil.copy2(nas.host.credentials, root / "credentials")
    made = nas.lab.directory / "root.image"
    run(["truncate", "-s", "400M", made])
    run(["mke2fs", "-q", "-t", "ext4", "-d", root, made])
    return made


def test_a_copy_is_mounted_by_the_kernel(nas: Nas) -> None:
    assert packages()
    archive = initramfs(MODULES, {"command": COMMAND.encode()})
    more = (*NETWORK, "-m", "512")
    guest = EmulatedGuest(nas.lab, image(nas), archive=archive, arguments="", more=more)
    wait_until("it has started", (nas.lab.directory / "guest.console").exists)
    wait_until("the guest is done", lambda: "THE END" in guest.console(), timeout=180)
    said = guest.console()
    guest.process.kill()
    assert "MOUNTED 0" in said, said
    assert re.search(rf"//{HOST}/projects@\{{[-0-9A-F]+\}} \S+ cifs ro,", said)
    assert nas.lab.run(["sha256sum", nas.path("projects") / "folder/large"]).stdout[:64] in said
    assert "\n101\n" in said.replace("\r", "")
    assert "WRITTEN 1" in said
    assert "UNMOUNTED 0" in said
    assert nas.samba.root.password not in said
    assert "CommitShadowCopySet" in nas.calls()
    nas.assert_nothing_is_left()
