"""A share that is the root of its volume: whoever may write there renames `.fsrvpd`."""

from __future__ import annotations

from typing import List

import pytest

from lab import User, fss
from tests.interop.nas import TORTURE_SHARE, Nas

ATTACKS = ["rename .fsrvpd mine", "rename .fsrvpd mine; mkdir .fsrvpd; mkdir .fsrvpd/.marks"]

LOCAL_ATTACKS = ["mv .fsrvpd x", "mv .fsrvpd x; ln -s / .fsrvpd", "mv .fsrvpd x; mkfifo .fsrvpd"]


@pytest.fixture(scope="module")
def user(nas: Nas) -> User:
    return nas.samba.add_user("renamer1")


def snapshots(nas: Nas) -> List[str]:
    """Every snapshot on the volume, wherever it is."""
    argv = ["find", nas.volumes["projects"], "-maxdepth", "3", "-name", "fsrvp-{*"]
    return nas.lab.run(argv).stdout.splitlines()


def locally(nas: Nas, user: User, script: str) -> None:
    root = nas.volumes["projects"]
    argv = ["runuser", "-u", user.name, "--", "sh", "-ec", f"cd '{root}'; {script}"]
    nas.lab.run(argv)


@pytest.mark.parametrize("attack", ATTACKS)
def test_deletion_over_the_pipe_deletes_what_was_renamed_over_smb(
    nas: Nas, user: User, attack: str
) -> None:
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    assert len(snapshots(nas)) == 1
    nas.samba.smbclient(TORTURE_SHARE, attack, user=user)
    assert (nas.lab.seen(nas.volumes["projects"]) / "mine").is_dir()
    fss.delete(nas.samba, copy)
    assert nas.daemon.calls()[-1].method == "DeleteShareMapping"
    assert snapshots(nas) == []
    nas.assert_nothing_is_left()


@pytest.mark.parametrize(
    "attack",
    ["mv .fsrvpd mine", "mv .fsrvpd mine; ln -s / .fsrvpd", "mv .fsrvpd x; mkfifo .fsrvpd"],
)
def test_backups_go_on_and_nothing_is_forgotten(nas: Nas, user: User, attack: str) -> None:
    [before] = fss.create_expose(nas.samba, TORTURE_SHARE)
    fss.recovery_complete(nas.samba, before)
    locally(nas, user, attack)
    assert nas.daemon.ask("prune") == []
    [found] = nas.daemon.ask("list-snapshots")
    assert found["copy"].lower() == f"{{{before.copy_id}}}"
    locally(nas, user, attack)
    [after] = fss.create_expose(nas.samba, TORTURE_SHARE)
    assert nas.samba.read(after.share, "kept.txt") == "what the share holds\n"
    for copy in (before, after):
        fss.delete(nas.samba, copy)
    assert snapshots(nas) == []
    assert "and is renamed back" in nas.daemon.read_log()


@pytest.fixture(autouse=True)
def _kept(nas: Nas) -> None:
    nas.samba.write(TORTURE_SHARE, "kept.txt", "what the share holds\n")
