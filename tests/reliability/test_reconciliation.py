"""State, disks and registry disagree: what is mended, what goes, and what is left alone."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.interop.site import TORTURE_SHARE, Site, make_directory
from tests.lab import fss
from tests.lab.fss import ShadowCopy
from tests.lab.namespaces import wait_until

UNMARKED = "fsrvp-{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}_GMT-2020.01.02-03.04.05"
FORGET_ALL = "DELETE FROM sets"


@pytest.fixture(autouse=True)
def all_agree(site: Site) -> Iterator[None]:
    yield
    site.assert_nothing_is_left()
    assert site.daemon.ask("prune") == []


def state_file(site: Site) -> Path:
    return site.samba.place("state directory") / "fsrvpd" / "state.sqlite3"


def change_state(site: Site, statement: str) -> None:
    with sqlite3.connect(state_file(site)) as state:
        state.execute(statement)
    state.close()


def recovered(site: Site, share: str = TORTURE_SHARE, context: str = "backup") -> ShadowCopy:
    site.samba.write(share, "kept.txt", "kept\n")
    [copy] = fss.create_expose(site.samba, share, context=context)
    fss.recovery_complete(site.samba, copy)
    return copy


def is_served(site: Site, copy: ShadowCopy) -> bool:
    return site.samba.read(copy.share, "kept.txt") == "kept\n"


def found(answer: Any) -> list[tuple[str, str]]:
    return sorted((each["what"], each["action"]) for each in answer)


def test_what_agrees_is_left_alone(site: Site) -> None:
    copy = recovered(site)
    assert site.daemon.ask("prune", "--dry-run") == []
    assert site.daemon.ctl("prune").stdout == "state, disks and registry agree\n"
    site.daemon.restart()
    assert is_served(site, copy)
    fss.delete(site.samba, copy)


def test_with_the_state_lost_all_is_recognised_and_only_an_admin_removes_it(site: Site) -> None:
    copy = recovered(site)
    site.daemon.stop()
    for file in state_file(site).parent.glob("state.sqlite3*"):
        file.unlink()
    site.daemon.start()
    dry = site.daemon.ask("prune", "--dry-run")
    assert found(dry) == [("stray share", "remove"), ("stray snapshot", "remove")]
    assert "event=stray-snapshot" in site.daemon.read_log()
    assert "another state file knew it" in site.daemon.read_log()
    assert is_served(site, copy)
    site.daemon.restart()
    assert is_served(site, copy)
    assert found(site.daemon.ask("prune")) == found(dry)


def test_the_state_put_back_is_as_if_never_lost(site: Site, tmp_path: Path) -> None:
    copy = recovered(site)
    site.daemon.stop()
    shutil.move(state_file(site), tmp_path / "state")
    site.daemon.start()
    site.daemon.stop()
    shutil.move(tmp_path / "state", state_file(site))
    site.daemon.start()
    assert fss.get_mapping(site.samba, copy) == copy
    fss.delete(site.samba, copy)


def test_what_no_set_knows_goes_at_the_next_start(site: Site) -> None:
    recovered(site)
    recovered(site, "vault")
    site.daemon.stop()
    change_state(site, FORGET_ALL)
    assert len(site.shadow_shares()) == 2
    site.daemon.start()
    wait_until("the strays are gone", lambda: not site.snapshots())


def test_a_share_without_a_snapshot_goes(site: Site) -> None:
    recovered(site)
    site.daemon.stop()
    change_state(site, FORGET_ALL)
    for snapshot in set(site.snapshots()):
        if "fsrvp-" in snapshot:
            site.lab.run(["btrfs", "subvolume", "delete", snapshot.partition("/root")[2]])
    site.daemon.start()
    wait_until("the share is gone", lambda: not site.shadow_shares())


def test_a_set_that_cannot_be_read_keeps_what_it_made(site: Site) -> None:
    copy = recovered(site)
    site.daemon.stop()
    change_state(site, "UPDATE sets SET document = 'x' || document")
    site.daemon.start()
    assert site.daemon.ask("prune") == []
    assert "event=set-unreadable" in site.daemon.read_log()
    site.daemon.stop()
    change_state(site, "UPDATE sets SET document = substr(document, 2)")
    site.daemon.start()
    assert is_served(site, copy)
    fss.delete(site.samba, copy)


def test_a_share_that_an_admin_removed_is_made_again(site: Site) -> None:
    site.samba.sharesec(TORTURE_SHARE, "-a", "S-1-5-32-546:DENIED/0x0/FULL")
    copy = recovered(site)
    permissions = site.samba.sharesec(copy.share, "-v").stdout
    site.samba.net("conf", "delshare", copy.share)
    assert found(site.daemon.ask("prune")) == [("share gone", "make again")]
    wait_until("the share is there", lambda: bool(site.shadow_shares()))
    wait_until("it is settled", lambda: site.daemon.ask("prune") == [])
    assert "event=share-restored" in site.daemon.read_log()
    assert is_served(site, copy)
    assert site.samba.sharesec(copy.share, "-v").stdout == permissions
    fss.delete(site.samba, copy)
    site.samba.sharesec(TORTURE_SHARE, "-D")


def test_a_share_that_went_while_nobody_ran_is_made_again(site: Site) -> None:
    copy = recovered(site)
    site.daemon.stop()
    site.samba.net("conf", "delshare", copy.share)
    site.daemon.start()
    wait_until("the share is there", lambda: bool(site.shadow_shares()))
    assert is_served(site, copy)
    fss.delete(site.samba, copy)


@pytest.mark.parametrize("share", [TORTURE_SHARE, "vault"])
def test_a_set_ends_with_the_snapshot_that_an_admin_removed(site: Site, share: str) -> None:
    recovered(site, share)
    [root] = [each["snapshot"] for each in site.daemon.ask("list-sets")[0]["copies"]]
    remove = ["btrfs", "subvolume", "delete"] if share == TORTURE_SHARE else ["rm", "-rf"]
    site.lab.run([*remove, root])
    assert found(site.daemon.ask("prune")) == [("snapshot gone", "drop")]


def test_a_volume_that_is_not_mounted_is_waited_for(site: Site) -> None:
    copy = recovered(site, "with space")
    more = site.volumes["more"]
    site.lab.unmount(more)
    before = site.daemon.ask("list-sets")
    for _ in range(2):
        answer = site.daemon.ask("prune")
        assert found(answer) == [("volume absent", "keep")]
        assert "mount it, then run fsrvpctl fsrvpd prune" in answer[0]["reason"]
        site.daemon.restart()
    assert site.daemon.ask("list-sets") == before
    site.lab.run(["mount", "-o", "loop", site.lab.directory / "more.img", more])
    assert is_served(site, copy)
    fss.delete(site.samba, copy)


def test_what_is_not_ours_is_left_alone(site: Site) -> None:
    """A directory with a name like ours, a share with a name like ours, and the snapshot
    of another server, that the volume was taken from."""
    directory = site.volumes["projects"] / ".fsrvpd" / UNMARKED
    site.samba.net("conf", "addshare", "data@{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}", "/tmp")
    site.samba.set_option("fsrvpd:owner name", "OTHER")
    site.daemon.restart()
    copy = recovered(site)
    site.samba.set_option("fsrvpd:owner name", None)
    site.daemon.stop()
    change_state(site, FORGET_ALL)
    site.lab.run(["mkdir", directory])
    site.daemon.start()
    [share, snapshot] = sorted(site.daemon.ask("prune"), key=lambda each: str(each["what"]))
    assert (share["object"], share["action"]) == (copy.share, "keep")
    assert snapshot["action"] == "keep"
    assert "it belongs to server OTHER" in snapshot["reason"]
    assert site.lab.seen(directory).exists()
    assert len(site.shadow_shares()) == 2
    site.lab.run(["rmdir", directory])
    site.samba.net("conf", "delshare", "data@{6D2C4D1B-4AD4-4B39-B3A5-0D1D35CD7C14}")
    site.samba.set_option("fsrvpd:owner name", "OTHER")
    site.daemon.restart()
    wait_until("the strays are gone", lambda: not site.snapshots())
    site.samba.set_option("fsrvpd:owner name", None)
    site.daemon.restart()


def test_a_volume_that_nothing_names_is_looked_at_and_left_alone(site: Site) -> None:
    """Only an admin knows whether it is one of ours or the copy of one. It is mounted twice."""
    volume, again = site.volumes["data"] / "a" / "volume", site.lab.directory / "again"
    make_directory(site.lab, volume.parent)
    site.lab.run(["btrfs", "subvolume", "create", volume])
    site.lab.run(["mkdir", again])
    site.lab.run(["mount", "--bind", volume, again])
    site.samba.net("conf", "addshare", "elsewhere", str(volume), "writeable=y")
    recovered(site, "elsewhere")
    site.daemon.stop()
    change_state(site, FORGET_ALL)
    site.samba.net("conf", "delshare", "elsewhere")
    site.daemon.start()
    kept = [("stray share", "keep"), ("stray snapshot", "keep")]
    for _ in range(2):
        answer = site.daemon.ask("prune")
        assert found(answer) == kept
        assert all("of which nothing is shared" in each["reason"] for each in answer)
    site.samba.net("conf", "addshare", "elsewhere", str(volume))
    assert found(site.daemon.ask("prune")) == [(what, "remove") for what, _ in kept]
    site.samba.net("conf", "delshare", "elsewhere")
    site.lab.unmount(again)
    site.lab.run(["btrfs", "subvolume", "delete", volume / ".fsrvpd", volume])


def test_a_snapshot_that_is_to_be_kept_outlives_its_set(site: Site) -> None:
    site.samba.set_option("fsrvp:keep", "yes")
    site.samba.reload()
    copy = recovered(site)
    fss.delete(site.samba, copy)
    assert site.daemon.ask("list-sets") == []
    site.daemon.restart()
    [kept] = site.daemon.ask("prune")
    assert kept["action"] == "keep"
    assert "fsrvp:keep" in kept["reason"]
    site.samba.set_option("fsrvp:keep", None)
    site.samba.reload()
    site.lab.run(["btrfs", "subvolume", "delete", kept["object"]])
    site.lab.run(["sh", "-c", f"rm {Path(kept['object']).parent}/.marks/*"])


# Reboots and ages.


@pytest.mark.parametrize("context", ["backup", "app_rollback"])
def test_a_reboot_ends_what_is_not_persistent(site: Site, context: str, tmp_path: Path) -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    another = site.lab.directory / "boot_id"
    another.write_text("00000000-0000-4000-8000-000000000000\n")
    copy = recovered(site, context=context)
    site.daemon.stop()
    site.lab.run(["mount", "--bind", another, boot_id])
    site.daemon.start()
    if context == "backup":
        wait_until("the set is gone", lambda: not site.snapshots())
        assert "the server was rebooted" in site.daemon.read_log()
    else:
        assert is_served(site, copy)
        fss.delete(site.samba, copy)
    site.daemon.stop()
    site.lab.unmount(boot_id)
    site.daemon.start()


def test_an_old_set_goes_and_the_log_says_why(site: Site) -> None:
    recovered(site)
    site.daemon.stop()
    site.samba.set_option("fsrvpd:auto release max age", "1")
    time.sleep(1.1)
    site.daemon.start()
    wait_until("the set is gone", lambda: not site.snapshots())
    assert "fsrvpd:auto release max age = 1" in site.daemon.read_log()
    site.daemon.stop()
    site.samba.set_option("fsrvpd:auto release max age", None)
    site.daemon.start()
