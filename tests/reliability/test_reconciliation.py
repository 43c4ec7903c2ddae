"""State, disks and registry disagree: what is repaired, removed or left alone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from lab import fss
from lab.fss import ShadowCopy
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas, make_directory

UNMARKED = "fsrvp-{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}_GMT-2020.01.02-03.04.05"
FORGET_ALL = "DELETE FROM sets"


@pytest.fixture(autouse=True)
def all_agree(nas: Nas) -> Iterator[None]:
    yield
    nas.assert_nothing_is_left()
    assert nas.daemon.ask("prune") == []


def state_file(nas: Nas) -> Path:
    return nas.samba.place("state directory") / "fsrvpd" / "state.sqlite3"


def change_state(nas: Nas, statement: str) -> None:
    with sqlite3.connect(state_file(nas)) as state:
        state.execute(statement)
    state.close()


def recovered(nas: Nas, share: str = TORTURE_SHARE, context: str = "backup") -> ShadowCopy:
    nas.samba.write(share, "kept.txt", "kept\n")
    [copy] = fss.create_expose(nas.samba, share, context=context)
    fss.recovery_complete(nas.samba, copy)
    return copy


def is_served(nas: Nas, copy: ShadowCopy) -> bool:
    return nas.samba.read(copy.share, "kept.txt") == "kept\n"


def found(answer: Any) -> list[tuple[str, str]]:
    return sorted((each["what"], each["action"]) for each in answer)


def test_what_agrees_is_left_alone(nas: Nas) -> None:
    copy = recovered(nas)
    assert nas.daemon.ask("prune", "--dry-run") == []
    assert nas.daemon.ctl("prune").stdout == "state, storage and registry agree\n"
    nas.daemon.restart()
    assert is_served(nas, copy)
    fss.delete(nas.samba, copy)


def test_with_the_state_lost_all_is_recognised_and_only_an_admin_removes_it(nas: Nas) -> None:
    copy = recovered(nas)
    nas.daemon.stop()
    for file in state_file(nas).parent.glob("state.sqlite3*"):
        file.unlink()
    nas.daemon.start()
    dry = nas.daemon.ask("prune", "--dry-run")
    assert found(dry) == [("orphan-share", "remove"), ("orphan-snapshot", "remove")]
    assert "event=orphan-snapshot" in nas.daemon.read_log()
    assert "another state file knew it" in nas.daemon.read_log()
    assert is_served(nas, copy)
    nas.daemon.restart()
    assert is_served(nas, copy)
    assert found(nas.daemon.ask("prune")) == found(dry)


def test_the_state_put_back_is_as_if_never_lost(nas: Nas, tmp_path: Path) -> None:
    copy = recovered(nas)
    nas.daemon.stop()
    shutil.move(state_file(nas), tmp_path / "state")
    nas.daemon.start()
    nas.daemon.stop()
    shutil.move(tmp_path / "state", state_file(nas))
    nas.daemon.start()
    assert fss.get_mapping(nas.samba, copy) == copy
    fss.delete(nas.samba, copy)


def test_what_no_set_knows_goes_at_the_next_start(nas: Nas) -> None:
    recovered(nas)
    recovered(nas, "vault")
    nas.daemon.stop()
    change_state(nas, FORGET_ALL)
    assert len(nas.shadow_shares()) == 2
    nas.daemon.start()
    wait_until("the orphans are gone", lambda: not nas.snapshots())


def test_a_share_without_a_snapshot_goes(nas: Nas) -> None:
    recovered(nas)
    nas.daemon.stop()
    change_state(nas, FORGET_ALL)
    for snapshot in set(nas.snapshots()):
        if "fsrvp-" in snapshot:
            nas.lab.run(["btrfs", "subvolume", "delete", snapshot.partition("/root")[2]])
    nas.daemon.start()
    wait_until("the share is gone", lambda: not nas.shadow_shares())


def test_a_set_that_cannot_be_read_keeps_what_it_made(nas: Nas) -> None:
    copy = recovered(nas)
    nas.daemon.stop()
    change_state(nas, "UPDATE sets SET document = 'x' || document")
    nas.daemon.start()
    assert nas.daemon.ask("prune") == []
    assert "event=set-unreadable" in nas.daemon.read_log()
    nas.daemon.stop()
    change_state(nas, "UPDATE sets SET document = substr(document, 2)")
    nas.daemon.start()
    assert is_served(nas, copy)
    fss.delete(nas.samba, copy)


def test_a_share_that_an_admin_removed_is_made_again(nas: Nas) -> None:
    nas.samba.sharesec(TORTURE_SHARE, "-a", "S-1-5-32-546:DENIED/0x0/FULL")
    copy = recovered(nas)
    permissions = nas.samba.sharesec(copy.share, "-v").stdout
    nas.samba.net("conf", "delshare", copy.share)
    assert found(nas.daemon.ask("prune")) == [("share-gone", "recreate")]
    wait_until("the share is there", lambda: bool(nas.shadow_shares()))
    wait_until("it is settled", lambda: nas.daemon.ask("prune") == [])
    assert "event=share-restored" in nas.daemon.read_log()
    assert is_served(nas, copy)
    assert nas.samba.sharesec(copy.share, "-v").stdout == permissions
    fss.delete(nas.samba, copy)
    nas.samba.sharesec(TORTURE_SHARE, "-D")


def test_a_share_that_went_while_nobody_ran_is_made_again(nas: Nas) -> None:
    copy = recovered(nas)
    nas.daemon.stop()
    nas.samba.net("conf", "delshare", copy.share)
    nas.daemon.start()
    wait_until("the share is there", lambda: bool(nas.shadow_shares()))
    assert is_served(nas, copy)
    fss.delete(nas.samba, copy)


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_set_ends_with_the_snapshot_that_an_admin_removed(nas: Nas, share: str) -> None:
    recovered(nas, share)
    [root] = [each["snapshot"] for each in nas.daemon.ask("list-sets")[0]["copies"]]
    remove = ["btrfs", "subvolume", "delete"] if share == TORTURE_SHARE else ["rm", "-rf"]
    nas.lab.run([*remove, root])
    assert found(nas.daemon.ask("prune")) == [("snapshot-gone", "forget")]


def test_a_volume_that_is_not_mounted_is_waited_for(nas: Nas) -> None:
    copy = recovered(nas, "with space")
    more = nas.volumes["more"]
    nas.lab.unmount(more)
    before = nas.daemon.ask("list-sets")
    for _ in range(2):
        answer = nas.daemon.ask("prune")
        assert found(answer) == [("volume-absent", "keep")]
        assert "mount it, then run fsrvpctl fsrvpd prune" in answer[0]["reason"]
        nas.daemon.restart()
    assert nas.daemon.ask("list-sets") == before
    nas.lab.run(["mount", "-o", "loop", nas.lab.directory / "more.img", more])
    assert is_served(nas, copy)
    fss.delete(nas.samba, copy)


def test_what_is_not_ours_is_left_alone(nas: Nas) -> None:
    """A directory and a share with names like fsrvpd's, and a snapshot of another server, from
    which the volume was moved here."""
    directory = nas.volumes["projects"] / ".fsrvpd" / UNMARKED
    nas.samba.net("conf", "addshare", "data@{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}", "/tmp")
    nas.samba.set_option("fsrvpd:owner name", "OTHER")
    nas.daemon.restart()
    copy = recovered(nas)
    nas.samba.set_option("fsrvpd:owner name", None)
    nas.daemon.stop()
    change_state(nas, FORGET_ALL)
    nas.lab.run(["mkdir", directory])
    nas.daemon.start()
    [share, snapshot] = sorted(nas.daemon.ask("prune"), key=lambda each: str(each["what"]))
    assert (share["object"], share["action"]) == (copy.share, "keep")
    assert snapshot["action"] == "keep"
    assert "it belongs to server OTHER" in snapshot["reason"]
    assert nas.lab.seen(directory).exists()
    assert len(nas.shadow_shares()) == 2
    nas.lab.run(["rmdir", directory])
    nas.samba.net("conf", "delshare", "data@{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}")
    assert "prune --server OTHER --dry-run shows what" in snapshot["reason"]
    for other in ("ANOTHER", ""):
        assert {action for _, action in found(nas.daemon.ask("prune", f"--server={other}"))} == {
            "keep"
        }
    removed = [("orphan-share", "remove"), ("orphan-snapshot", "remove")]
    assert found(nas.daemon.ask("prune", "--server=OTHER", "--dry-run")) == removed
    assert nas.snapshots()
    assert found(nas.daemon.ask("prune", "--server=other")) == removed
    nas.assert_nothing_is_left()


def test_what_another_version_took_is_left_alone(nas: Nas) -> None:
    """As after a downgrade: the marker says things that this version does not know."""
    copy = recovered(nas)
    nas.daemon.stop()
    change_state(nas, FORGET_ALL)
    [marker] = nas.lab.seen(nas.volumes["projects"] / ".fsrvpd/.marks").iterdir()
    text = os.readlink(marker)
    marker.unlink()
    marker.symlink_to(text.replace('"fsrvpd":2', '"fsrvpd":9,"future":true'))
    nas.daemon.start()
    for _ in range(2):  # at a start, and when an admin wants more to be removed
        kept = nas.daemon.ask("prune")
        assert found(kept) == [("orphan-share", "keep"), ("orphan-snapshot", "keep")]
        assert all("another version of fsrvpd took it" in each["reason"] for each in kept)
        assert is_served(nas, copy)
    nas.daemon.stop()
    marker.unlink()
    marker.symlink_to(text)
    nas.daemon.start()
    wait_until("the orphans are gone", lambda: not nas.snapshots())


def test_a_volume_that_nothing_names_is_looked_at_and_left_alone(nas: Nas) -> None:
    """Only an admin knows whether it is the volume or a clone of it. It is mounted twice."""
    volume, again = nas.volumes["data"] / "a" / "volume", nas.lab.directory / "again"
    make_directory(nas.lab, volume.parent)
    nas.lab.run(["btrfs", "subvolume", "create", volume])
    nas.lab.run(["mkdir", again])
    nas.lab.run(["mount", "--bind", volume, again])
    nas.samba.net("conf", "addshare", "elsewhere", str(volume), "writeable=y")
    recovered(nas, "elsewhere")
    nas.daemon.stop()
    change_state(nas, FORGET_ALL)
    nas.samba.net("conf", "delshare", "elsewhere")
    nas.daemon.start()
    kept = [("orphan-share", "keep"), ("orphan-snapshot", "keep")]
    for _ in range(2):
        answer = nas.daemon.ask("prune")
        assert found(answer) == kept
        assert all("no share uses its volume" in each["reason"] for each in answer)
    nas.samba.net("conf", "addshare", "elsewhere", str(volume))
    assert found(nas.daemon.ask("prune")) == [(what, "remove") for what, _ in kept]
    nas.samba.net("conf", "delshare", "elsewhere")
    nas.lab.unmount(again)
    nas.lab.run(["btrfs", "subvolume", "delete", volume / ".fsrvpd", volume])


def test_a_snapshot_that_is_to_be_kept_outlives_its_set(nas: Nas) -> None:
    nas.samba.set_option("fsrvp:keep", "yes")
    nas.samba.reload()
    copy = recovered(nas)
    fss.delete(nas.samba, copy)
    assert nas.daemon.ask("list-sets") == []
    nas.daemon.restart()
    [kept] = nas.daemon.ask("prune")
    assert kept["action"] == "keep"
    assert "fsrvp:keep" in kept["reason"]
    nas.samba.set_option("fsrvp:keep", None)
    nas.samba.reload()
    nas.lab.run(["btrfs", "subvolume", "delete", kept["object"]])
    nas.lab.run(["sh", "-c", f"rm {Path(kept['object']).parent}/.marks/*"])
    assert found(nas.daemon.ask("prune")) == [("orphan-mount", "remove")]


# Reboots and ages.


@pytest.mark.parametrize("context", ["backup", "app_rollback"])
def test_a_reboot_ends_what_is_not_persistent(nas: Nas, context: str, tmp_path: Path) -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    another = nas.lab.directory / "boot_id"
    another.write_text("00000000-0000-4000-8000-000000000000\n")
    copy = recovered(nas, context=context)
    nas.daemon.stop()
    nas.lab.run(["mount", "--bind", another, boot_id])
    nas.daemon.start()
    if context == "backup":
        wait_until("the set is gone", lambda: not nas.snapshots())
        assert "the server was rebooted" in nas.daemon.read_log()
    else:
        assert is_served(nas, copy)
        fss.delete(nas.samba, copy)
    nas.daemon.stop()
    nas.lab.unmount(boot_id)
    nas.daemon.start()


def test_an_old_set_goes_and_the_log_says_why(nas: Nas) -> None:
    recovered(nas)
    nas.daemon.stop()
    nas.samba.set_option("fsrvpd:auto release max age", "1")
    time.sleep(1.1)
    nas.daemon.start()
    wait_until("the set is gone", lambda: not nas.snapshots())
    assert "fsrvpd:auto release max age = 1" in nas.daemon.read_log()
    nas.daemon.stop()
    nas.samba.set_option("fsrvpd:auto release max age", None)
    nas.daemon.start()
