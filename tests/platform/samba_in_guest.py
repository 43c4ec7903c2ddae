"""A stock smbd on LVM: Samba's own agent with vfs_shell_snap, and previous versions.

tests.platform.samba runs it in the emulated machine; it is not collected elsewhere. It is one
test, since every program takes ten times as long to start there.
"""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from pathlib import Path

from lab import FsrvpdProcess, Lab, Samba, Share, fss
from lab.daemon import SCRIPTS
from lab.namespaces import LabError, wait_until
from tests.contract.providers.lvm_harness import VolumeGroup
from tests.contract.providers.private_mounts import run

SHARE = "projects"
BY_ITSELF = "activation { udev_sync = 0 udev_rules = 0 }\n"
TOKEN = re.compile(r"^@GMT-[-.0-9]+$", re.MULTILINE)


def test_sambas_own_agent_and_shadow_copy2_on_lvm(tmp_path: Path) -> None:
    without_udev()
    with closing(VolumeGroup(tmp_path, "fsrvpdsamba")) as group, Lab() as lab:
        volume = lab.directory / "große Platte"
        volume.mkdir()
        lab.run(["mount", group.make_volume("projects", "xfs"), volume])
        try:
            drive(lab, volume)
        finally:
            unmount_all(lab, volume)


def without_udev() -> None:
    """Have LVM create device nodes itself, everywhere in this machine.

    A lab hides /run and so udev: LVM in the lab would not wait for udev's device nodes.
    """
    run("udevadm", "control", "--exit")
    Path("/etc/lvm/lvmlocal.conf").write_text(BY_ITSELF)


def drive(lab: Lab, volume: Path) -> None:
    directory = volume / "the admin's own part isn't $(id)"
    lab.run(["mkdir", "-m", "0777", directory])
    samba = Samba(lab, (), {"fsrvpd:serve pipe": "no"}, own_agent=True)
    samba.set_share(Share(SHARE, directory, callouts(samba)))
    samba.start()
    daemon = FsrvpdProcess(lab, samba)
    daemon.start()
    try:
        copy_and_look_back(samba, daemon, directory)
    except LabError as error:
        raise LabError(f"{error}\n--- end of fsrvpd's log\n{daemon.tail()}") from error
    daemon.stop()
    samba.stop()


def copy_and_look_back(samba: Samba, daemon: FsrvpdProcess, directory: Path) -> None:
    samba.write(SHARE, "versions.txt", "old\n")
    wait_until_agent_answers(samba)
    [copy] = fss.create_expose(samba, SHARE)
    samba.write(SHARE, "versions.txt", "new\n")
    assert samba.read(copy.share, "versions.txt") == "old\n"
    [listed] = daemon.ask("list-snapshots")
    assert (listed["provider"], listed["owner"]) == ("lvm", "samba")
    assert daemon.calls() == [], "the agent must have been Samba's"

    _, *lines = daemon.command("share-config", SHARE).stdout.splitlines()
    pairs = (line.partition(" = ") for line in lines)
    options = {name.strip(): value for name, _, value in pairs}
    assert options["vfs objects"] == "shadow_copy2 shell_snap"
    samba.set_share(Share(SHARE, directory, {**callouts(samba), **options}))
    samba.reload()
    [token] = TOKEN.findall(samba.smbclient(SHARE, "allinfo versions.txt").stdout)
    assert samba.read(SHARE, rf"{token}\versions.txt") == "old\n"

    wait_until_agent_answers(samba)
    fss.delete(samba, copy)
    assert daemon.ask("list-snapshots") == []


def wait_until_agent_answers(samba: Samba) -> None:
    """Call Samba's agent until it answers.

    samba-dcerpcd ends when idle, and starts all its helpers for its first client, which may
    time out here.
    """

    def answers() -> bool:
        return samba.rpcclient("fss_get_sup_version", check=False).returncode == 0

    wait_until("Samba's agent answers", answers)


def callouts(samba: Samba) -> dict[str, str]:
    command = f"{SCRIPTS}/fsrvp-snap -s {samba.conf}"
    return {
        "vfs objects": "shell_snap",
        "shell_snap:check path command": f"{command} check",
        "shell_snap:create command": f"{command} create",
        "shell_snap:delete command": f"{command} delete",
    }


def unmount_all(lab: Lab, volume: Path) -> None:
    """Unmount everything on the volume, so that the volume group can be removed."""
    lab.run(["sh", "-c", "umount /run/fsrvpd/lvm/*/* 2>/dev/null"], check=False)
    lab.run(["umount", "--lazy", volume], check=False)
    shutil.rmtree("/run/fsrvpd", ignore_errors=True)
