"""Shadow copies made by an admin's own scripts, as written for vfs_shell_snap."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share, fss
from lab.fuse import StoppableVolume
from tests.contract.providers.command_harness import CREATE, DELETE, STORE

PLACE = "/run/fsrvpd/command"


class Filer:
    """A server with one share, on storage that fsrvpd knows nothing about."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.volume = lab.volume("btrfs", "filer")
        lab.run(["btrfs", "-q", "subvolume", "create", self.volume / STORE])
        path = self.volume / "Bücher & Karten"
        lab.run(["mkdir", "-m", "0777", path])
        self.samba = Samba(lab)
        commands = {
            "create": self.script("create", CREATE),
            "delete": self.script("delete", DELETE),
        }
        options = {f"fsrvp:{which} command": str(path) for which, path in commands.items()}
        self.samba.set_share(Share("data", path, {"fsrvp:provider": "command", **options}))
        self.daemon = FsrvpdProcess(lab, self.samba)

    def script(self, name: str, text: str) -> Path:
        path = self.lab.directory / f"{name}.sh"
        volume, store = f"'{self.volume}'", f"'{self.volume / STORE}'"
        path.write_text(text.format(volume=volume, store=store))
        path.chmod(0o755)
        return path

    def left_over(self) -> List[str]:
        stores = self.lab.run(["ls", self.volume / STORE]).stdout.split()
        return stores + self.lab.run(["find", PLACE, "-mindepth", "2"]).stdout.split()


@pytest.fixture(scope="module")
def filer() -> Iterator[Filer]:
    with Lab() as lab:
        filer = Filer(lab)
        filer.samba.start()
        filer.daemon.start()
        yield filer
        filer.daemon.stop()


def test_a_copy_comes_is_read_and_goes(filer: Filer) -> None:
    samba = filer.samba
    samba.write("data", "file", "old")
    [copy] = fss.create_expose(samba, "data", binding="sign")
    samba.write("data", "file", "new")
    assert samba.read(copy.share, "file") == "old"
    assert len(filer.lab.run(["ls", filer.volume / STORE]).stdout.split()) == 1
    fss.delete(samba, copy, binding="sign")
    assert filer.left_over() == []


def test_after_a_reboot_it_is_mounted_again(filer: Filer) -> None:
    """A snapshot survives a reboot, but its mount does not."""
    samba = filer.samba
    samba.write("data", "file", "old")
    [copy] = fss.create_expose(samba, "data", binding="sign")
    filer.daemon.stop()
    [mounted] = filer.lab.run(["find", PLACE, "-mindepth", "2", "-maxdepth", "2"]).stdout.split()
    filer.lab.run(["umount", mounted])
    filer.lab.run(["rm", "-r", PLACE])
    samba.write("data", "file", "new")
    filer.daemon.start()
    filer.daemon.ctl("prune")
    assert samba.read(copy.share, "file") == "old"
    fss.delete(samba, copy, binding="sign")
    assert filer.left_over() == []


def test_a_copy_whose_storage_is_out_of_reach_is_not_forgotten(filer: Filer) -> None:
    """As of a cluster that has evicted this client: the path is there, and says nothing else."""
    volume = StoppableVolume(filer.lab, "far")
    create, delete = (filer.lab.directory / f"far-{name}.sh" for name in ("create", "delete"))
    create.write_text(f"#!/bin/sh\necho {volume.directory}\n")
    delete.write_text("#!/bin/sh\n")
    for script in (create, delete):
        script.chmod(0o755)
    options = {"fsrvp:create command": str(create), "fsrvp:delete command": str(delete)}
    path = filer.volume / "Bücher & Karten"
    filer.samba.set_share(Share("far", path, {"fsrvp:provider": "command", **options}))
    filer.samba.reload()
    fss.create_expose(filer.samba, "far", binding="sign")
    before = filer.daemon.ask("list-sets")
    volume.end()
    assert filer.daemon.ask("prune") == []
    filer.daemon.restart()
    assert filer.daemon.ask("list-sets") == before
    assert "unmount it (umount --lazy) and mount it anew" in filer.daemon.read_log()
