"""Samba's own agent, with its stock vfs_shell_snap, on top of fsrvpd's snapshots.

Samba has no module of its own that takes snapshots of XFS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from lab import FsrvpdProcess, Lab, Samba, Share, User, fss
from lab.daemon import SCRIPTS
from lab.namespaces import CommandFailed

NAMES = {
    "plain": "plain",
    "spaces": "with spaces -x/Bücher und Karten",
    "quotes": "it's \"quoted\" isn't it",
    "shell": "a;touch hacked;$(touch hacked)`touch hacked`&|*?[x]~#!{y}<z>",
    "odd": "the admin's",
}


class Keeper:
    """A server whose admin keeps Samba's own agent."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.volume = lab.volume("xfs", "vault")
        self.paths = {name: self.volume / path for name, path in NAMES.items()}
        for path in self.paths.values():
            lab.run(["mkdir", "-p", path])
            lab.run(["chmod", "0777", path])
        options = {"fsrvpd:serve pipe": "no"}
        self.samba = Samba(lab, (), options, own_agent=True)
        for name, path in self.paths.items():
            self.samba.set_share(Share(name, path, self.callouts()))
        self.paths["private"] = self.volume / "plain" / "private"
        lab.run(["mkdir", self.paths["private"]])
        self.samba.set_share(Share("private", self.paths["private"]))
        self.operator = self.samba.add_user("backup1")
        self.stranger = self.samba.add_user("stranger1")
        self.samba.set_option("fsrvpd:snapshot group", self.operator.name)
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
        rights = ["sam", "rights", "grant", keeper.operator.name, "SeBackupPrivilege"]
        keeper.samba.net(*rights)
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
    """Samba does not escape a single quote: its shell finds an unterminated word."""
    assert fss.refusal(keeper.samba, 'fss_is_path_sup "odd"')
    assert keeper.snapshots() == []


@pytest.mark.parametrize("words", [["/etc"], ["/"], [""], [], ["--"], ["plain", "/x"]])
@pytest.mark.parametrize("verb", ["check", "create", "delete"])
def test_nothing_is_done_beside_the_shares(keeper: Keeper, verb: str, words: List[str]) -> None:
    with pytest.raises(CommandFailed, match=r"is not (a share's path|the path of a share)"):
        keeper.snap(verb, *words)
    assert keeper.snapshots() == []


def test_a_share_without_the_module_is_out_of_reach(keeper: Keeper) -> None:
    with pytest.raises(CommandFailed, match="is not the path of a share with vfs objects"):
        keeper.snap("create", keeper.paths["private"])
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


def test_paths_that_read_alike_are_refused(keeper: Keeper) -> None:
    """Otherwise users of one share would get files of the other."""
    for name, path in {"one": "read alike", "two": "read 'alike'"}.items():
        keeper.lab.run(["mkdir", "-p", keeper.volume / path])
        keeper.samba.set_share(Share(name, keeper.volume / path, keeper.callouts()))
    keeper.samba.reload()
    with pytest.raises(CommandFailed, match="more than one path matches"):
        keeper.snap("create", f"{keeper.volume}/read", "alike")
    keeper.samba.set_share(Share("two", keeper.volume / "plain"))
    keeper.samba.reload()
    taken = keeper.snap("create", f"{keeper.volume}/read", "alike")
    keeper.snap("delete", f"{keeper.volume}/read", "alike", taken)


def test_a_backup_user_gets_a_whole_set(keeper: Keeper) -> None:
    """Samba runs the commands as the connected user; the kernel tells the daemon who that is."""
    samba, user = keeper.samba, keeper.operator
    [copy] = fss.create_expose(samba, "spaces", user=user)
    assert len(keeper.snapshots()) == 1
    samba.rpcclient(f'fss_delete "spaces" {copy.set_id} {copy.copy_id}', user=user)
    assert keeper.snapshots() == []
    log = keeper.daemon.read_log()
    uid = keeper.lab.run(["id", "-u", user.name]).stdout.strip()
    for message in ("check", "create", "delete"):
        assert f"event=shell-snap message={message} uid={uid}" in log


@pytest.mark.parametrize("verb", ["check", "create", "delete"])
def test_who_may_not_ask_gets_nothing(keeper: Keeper, verb: str) -> None:
    """The reply does not reveal which paths exist."""
    said = {as_user(keeper, keeper.stranger, verb, path) for path in ("/etc", "/nowhere")}
    said.add(as_user(keeper, keeper.stranger, verb, keeper.paths["plain"]))
    [only] = said
    assert "only root and members of `fsrvpd:snapshot group`" in only
    assert keeper.snapshots() == []


def as_user(keeper: Keeper, user: User, *words: object) -> str:
    """Call fsrvp-snap as a local user who must be refused. Returns its output."""
    argv = ["setpriv", "--reuid", user.name, "--regid", user.name, "--clear-groups"]
    done = keeper.lab.run(
        [*argv, SCRIPTS / "fsrvp-snap", "-s", keeper.samba.conf, *map(str, words)], check=False
    )
    assert done.returncode == 1
    return done.stderr


def test_the_group_may_do_nothing_else(keeper: Keeper) -> None:
    argv = ["setpriv", "--reuid", keeper.operator.name, "--regid", keeper.operator.name]
    argv += ["--clear-groups", *map(str, keeper.daemon.fsrvpctl), "fsrvpd", "list-sets"]
    done = keeper.lab.run(argv, check=False)
    assert done.returncode != 0
    assert "only root and members of `fsrvpd:admin group`" in done.stderr
    sockets = keeper.samba.place("pid directory") / "fsrvpd-snap"
    with pytest.raises(CommandFailed, match="Permission denied"):
        keeper.lab.run(
            ["setpriv", "--reuid", keeper.stranger.name, "--clear-groups", "ls", sockets]
        )


def test_limits_hold(keeper: Keeper) -> None:
    keeper.samba.set_option("fsrvpd:max sets", "2")
    keeper.daemon.ctl("reload-config")
    path = keeper.paths["plain"]
    taken = [keeper.snap("create", path) for _ in range(2)]
    with pytest.raises(CommandFailed, match="fsrvpd:max sets allows no more"):
        keeper.snap("create", path)
    keeper.samba.set_option("fsrvpd:max sets", None)
    keeper.samba.set_option("fsrvpd:min free space", "1000000")
    keeper.daemon.ctl("reload-config")
    with pytest.raises(CommandFailed, match="fsrvpd:min free space = 1000000"):
        keeper.snap("create", path)
    keeper.samba.set_option("fsrvpd:min free space", None)
    keeper.daemon.ctl("reload-config")
    for snapshot in taken:
        keeper.snap("delete", path, snapshot)
    assert keeper.snapshots() == []


def test_they_are_listed_outlive_the_daemon_and_go_when_nobody_uses_them(keeper: Keeper) -> None:
    samba, daemon = keeper.samba, keeper.daemon
    [copy] = fss.create_expose(samba, "plain")
    orphan = keeper.snap("create", keeper.paths["spaces"])
    assert {each["share"]: each["owner"] for each in daemon.ask("list-snapshots")} == {
        "plain": "samba",
        "spaces": "samba-unexposed",
    }
    assert "Samba's agent, not shared" in daemon.ctl("list-snapshots").stdout
    daemon.ctl("prune")
    assert len(keeper.snapshots()) == 2, "Samba's agent might have been about to share it"
    daemon.restart()
    assert len(keeper.snapshots()) == 2
    daemon.ctl("prune")
    assert len(keeper.snapshots()) == 1
    keeper.lab.run(["test", "!", "-e", orphan])
    assert samba.read(copy.share, "file") == "new"
    fss.delete(samba, copy)
    assert keeper.snapshots() == []
