"""Snapshots of providers as previous versions, through a stock smbd with shadow_copy2.

Observed in Samba 4.17.9, source3/modules/vfs_shadow_copy2.c: a directory entry is a version
if the part before `shadow:delimiter` matches `shadow:snapprefix` and the rest parses as
`shadow:format`. The user needs the right to list `shadow:snapdir`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

import pytest

from lab import Lab, Samba, Share, User

TAKE = "tests.contract.providers.take"
SOURCES = {"PYTHONPATH": str(Path(__file__).parents[3])}
TOKEN = re.compile(r"^@GMT-[-.0-9]+$", re.MULTILINE)
LABELS = ["@GMT-2026.11.18-11.06.40", "@GMT-2026.11.18-11.06.41", "@GMT-2026.11.18-11.06.42"]
OPTIONS = {
    "vfs objects": "shadow_copy2",
    "veto files": "/.fsrvpd/",
    "shadow:snapprefix": "^fsrvp-",
    "shadow:delimiter": "_GMT",
    "shadow:format": "_GMT-%Y.%m.%d-%H.%M.%S",
}


class Server(NamedTuple):
    lab: Lab
    samba: Samba
    user: User
    shares: Dict[str, Path]

    def take(self, name: str, *contents: str) -> List[str]:
        """Take snapshots within one second, and configure the share to show them.

        Returns the paths of the share in them.
        """
        script = [sys.executable, "-m", TAKE, self.shares[name], *contents]
        told = json.loads(self.lab.run(script, environment=SOURCES).stdout)
        shadow = {f"shadow:{option}": path for option, path in told["shadow"].items()}
        self.samba.set_share(Share(name, self.shares[name], {**OPTIONS, **shadow}))
        self.samba.reload()
        return list(told["taken"])

    def reads(self, name: str, names: List[str], *contents: str) -> None:
        assert len(names) == len(contents)
        for shown, content in zip(names, contents):
            path = rf"{shown}\versions.txt"
            assert self.samba.read(name, path, user=self.user) == content

    def versions(self, name: str) -> List[str]:
        """List the previous versions as FSCTL_SRV_ENUM_SNAPS does for a user, oldest first."""
        # The file is missing in some versions; smbclient counts that as a failure.
        command = "allinfo versions.txt"
        listed = self.samba.smbclient(name, command, user=self.user, check=False).stdout
        return sorted(TOKEN.findall(listed))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Lab() as lab:
        btrfs, xfs = lab.volume("btrfs", "btrfs volume"), lab.volume("xfs", "xfs volume")
        paths = {
            "root of btrfs": btrfs,
            "inside btrfs": btrfs / "deep/Büro inside",
            "root of xfs": xfs,
            "inside xfs": xfs / "deep/Büro inside",
            "beside it": xfs / "deep/other",
        }
        for path in paths.values():
            lab.run(["mkdir", "-p", "-m", "0777", path])
        samba = Samba(lab, [Share(name, path) for name, path in paths.items()])
        user = samba.add_user("historian")
        samba.start()
        yield Server(lab, samba, user, paths)


@pytest.mark.parametrize("name", ["inside btrfs", "inside xfs"])
def test_all_of_one_second_are_listed_and_read(server: Server, name: str) -> None:
    server.take(name, "first", "second", "third")
    assert server.versions(name) == LABELS
    server.reads(name, LABELS, "first", "second", "third")


def test_each_share_of_a_clone_lists_its_own(server: Server) -> None:
    server.take("root of xfs", "first", "second")
    server.take("beside it", "only")
    names = server.versions("root of xfs")
    assert len(names) == 2
    server.reads("root of xfs", names, "first", "second")
    server.reads("beside it", server.versions("beside it"), "only")


def test_a_vetoed_home_cannot_be_touched_and_still_serves(server: Server) -> None:
    """If the share is its volume's root, a user who may write there could rename `.fsrvpd`."""
    name, samba, user = "root of btrfs", server.samba, server.user
    [old] = server.take(name, "old")
    for command in ("rename .fsrvpd taken", "rmdir .fsrvpd", r"ls .fsrvpd\*"):
        refused = samba.smbclient(name, command, user=user, check=False)
        assert re.search("NT_STATUS_(OBJECT|NO_SUCH|ACCESS)", refused.stdout), refused.stdout
    assert ".fsrvpd" not in samba.smbclient(name, "ls", user=user).stdout
    server.reads(name, server.versions(name)[-1:], "old")
    samba.set_share(Share("its copy", Path(old), {"veto files": OPTIONS["veto files"]}))
    samba.reload()
    assert samba.read("its copy", "versions.txt", user=user) == "old"
