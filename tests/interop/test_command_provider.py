"""Shadow copies by an admin's own scripts, as they were written for vfs_shell_snap."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List

import pytest

from tests.contract.providers.command_bed import CREATE, DELETE, STORE
from tests.lab import FsrvpdProcess, Lab, Samba, Share, fss

PLACE = "/run/fsrvpd/command"


class Filer:
    """A server with one share, on storage of which fsrvpd is told nothing."""

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
    """What survives a reboot is on the disk; what was mounted is not."""
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
