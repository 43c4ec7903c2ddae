"""Samba's own agent, with its stock vfs_shell_snap, above snapshots of ours.

Samba has no module of its own that takes snapshots of XFS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from tests.lab import FsrvpdProcess, Lab, Samba, Share, User, fss
from tests.lab.daemon import SCRIPTS
from tests.lab.namespaces import CommandFailed

NAMES = {
    "plain": "plain",
    "spaces": "with spaces -x/Bücher und Karten",
    "quotes": "it's \"quoted\" isn't it",
    "shell": "a;touch hacked;$(touch hacked)`touch hacked`&|*?[x]~#!{y}<z>",
    "odd": "the admin's",
}
GROUP = "operators"


class Keeper:
    """A server whose admin keeps Samba's agent."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.volume = lab.volume("xfs", "vault")
        self.paths = {name: self.volume / path for name, path in NAMES.items()}
        for path in self.paths.values():
            lab.run(["mkdir", "-p", path])
            lab.run(["chmod", "0777", path])
        self.samba = Samba(lab, (), {"fsrvpd:serve pipe": "no"}, own_agent=True)
        for name, path in self.paths.items():
            self.samba.set_share(Share(name, path, self.callouts()))
        self.daemon = FsrvpdProcess(lab, self.samba)

    def callouts(self) -> Dict[str, str]:
        command = f"{SCRIPTS}/fsrvp-snap -s {self.samba.conf}"
        return {
            "vfs objects": "shell_snap",
            "shell_snap:check path command": f"{command} check",
            "shell_snap:create command": f"{command} create",
            "shell_snap:delete command": f"{command} delete",
        }

    def snapshots(self) -> List[str]:
        found = self.lab.run(["find", self.volume / ".fsrvpd", "-name", "fsrvp-*"], check=False)
        return found.stdout.splitlines()

    def snap(self, *arguments: object) -> str:
        argv = [SCRIPTS / "fsrvp-snap", "-s", self.samba.conf, *map(str, arguments)]
        return self.lab.run(argv).stdout.strip()


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    with Lab() as lab:
        keeper = Keeper(lab)
        keeper.samba.start()
        keeper.daemon.start()
        yield keeper
        keeper.daemon.stop()


@pytest.mark.parametrize("name", ["plain", "spaces", "quotes", "shell"])
def test_a_whole_set_of_sambas_own_agent(keeper: Keeper, name: str) -> None:
    samba = keeper.samba
    samba.write(name, "file", "old")
    [copy] = fss.create_expose(samba, name)
    samba.write(name, "file", "new")
    assert samba.read(copy.share, "file") == "old"
    assert len(keeper.snapshots()) == 1
    fss.delete(samba, copy)
    assert keeper.snapshots() == []
    assert keeper.daemon.calls() == [], "the agent must have been Samba's"
    assert not list(keeper.lab.directory.rglob("hacked"))


def test_a_path_that_no_shell_can_read_is_refused(keeper: Keeper) -> None:
    """Samba does not escape a single quote: its shell finds no end of the word."""
    assert fss.refusal(keeper.samba, 'fss_is_path_sup "odd"')
    assert keeper.snapshots() == []


@pytest.mark.parametrize("words", [["/etc"], ["/"], [""], [], ["--"], ["plain", "/x"]])
@pytest.mark.parametrize("verb", ["check", "create", "delete"])
def test_nothing_is_done_beside_the_shares(keeper: Keeper, verb: str, words: List[str]) -> None:
    with pytest.raises(CommandFailed, match=r"is not a share's path|required"):
        keeper.snap(verb, *words)
    assert keeper.snapshots() == []


def test_only_what_was_taken_here_is_deleted(keeper: Keeper) -> None:
    path, beside = keeper.paths["plain"], keeper.volume / "precious"
    keeper.lab.run(["mkdir", beside])
    taken = keeper.snap("create", path)
    for wrong in (beside, path, Path(taken).parent, keeper.volume / ".fsrvpd"):
        with pytest.raises(CommandFailed, match="is not a share's path and a snapshot of it"):
            keeper.snap("delete", path, wrong)
    keeper.snap("delete", path, taken)
    assert keeper.snapshots() == []
    keeper.lab.run(["test", "-d", beside])


def test_who_may_not_ask_gets_nothing(keeper: Keeper) -> None:
    """The commands run as the connected user, whom the kernel names to the daemon."""
    nobody: User = keeper.samba.add_user("nobody1")
    argv = ["setpriv", "--reuid", nobody.name, "--clear-groups", SCRIPTS / "fsrvp-snap"]
    argv += ["-s", keeper.samba.conf, "create", keeper.paths["plain"]]
    done = keeper.lab.run(argv, check=False)
    assert done.returncode != 0
    assert keeper.snapshots() == []


def test_snapshots_outlive_the_daemon(keeper: Keeper) -> None:
    samba = keeper.samba
    [copy] = fss.create_expose(samba, "plain")
    keeper.daemon.restart()
    keeper.daemon.ctl("prune")
    assert len(keeper.snapshots()) == 1
    fss.delete(samba, copy)
    assert keeper.snapshots() == []
