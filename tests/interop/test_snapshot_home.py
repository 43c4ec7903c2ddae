"""The directory of snapshots: what an ordinary user sees of it over SMB, and who owns it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator

import pytest

from lab import Share, User, fss
from lab.daemon import SCRIPTS
from tests.interop.nas import Nas
from tests.interop.smb_user import ACCESS_DENIED, OBJECT_NAME_NOT_FOUND, SmbUser, refusal

HOME = ".fsrvpd"


@pytest.fixture(scope="module")
def ordinary_user(nas: Nas) -> User:
    return nas.samba.add_user("clerk")


@pytest.fixture(params=["more", "vault"], ids=["btrfs", "xfs"], scope="module")
def volume(nas: Nas, request: pytest.FixtureRequest) -> Path:
    return nas.volumes[request.param]


@pytest.fixture
def share(nas: Nas, volume: Path) -> Iterator[str]:
    """Share a whole volume whose root everybody may write to, and take a snapshot of it."""
    nas.samba.set_share(Share("whole", volume))
    nas.samba.reload()
    nas.samba.write("whole", "public.txt", "as it was\n")
    [copy] = fss.create_expose(nas.samba, "whole")
    yield "whole"
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def snapshot(nas: Nas) -> Path:
    """Return the snapshot of the only set."""
    [listed] = nas.daemon.ask("list-sets")
    return Path(listed["copies"][0]["snapshot"])


def assert_closed(smb_user: SmbUser, share: str, directory: Path) -> None:
    assert refusal(lambda: smb_user.names(share, str(directory))) == ACCESS_DENIED
    new = str(directory / "new.txt")
    assert refusal(lambda: smb_user.write(share, new, "no")) == ACCESS_DENIED


def test_users_can_neither_enter_nor_change_it(
    nas: Nas, ordinary_user: User, volume: Path, share: str
) -> None:
    below = snapshot(nas).relative_to(volume)
    with SmbUser(nas, ordinary_user) as smb_user:
        for parent in below.parents[:-1]:
            assert_closed(smb_user, share, parent)
        assert refusal(lambda: smb_user.names(share, f"{HOME}/.marks")) == ACCESS_DENIED
        renamed = str(below.parent / "mine")
        assert refusal(lambda: smb_user.rename(share, str(below), renamed)) == ACCESS_DENIED
        public = str(below / "public.txt")
        assert refusal(lambda: smb_user.read(share, public)) == ACCESS_DENIED


def test_everything_on_the_way_belongs_to_root(nas: Nas, volume: Path, share: str) -> None:
    below = snapshot(nas).relative_to(volume)
    for directory in (volume / parent for parent in below.parents[:-1]):
        found = os.stat(nas.lab.seen(directory))
        assert (found.st_uid, found.st_gid) == (0, 0)
        assert stat.S_IMODE(found.st_mode) == 0o700
    marks = os.stat(nas.lab.seen(volume / HOME / ".marks"))
    assert (marks.st_uid, stat.S_IMODE(marks.st_mode)) == (0, 0o700)


def test_no_snapshot_contains_the_others(nas: Nas, share: str) -> None:
    inside = nas.lab.seen(snapshot(nas) / HOME)
    assert not inside.exists() or not list(inside.iterdir())


def test_what_share_config_prints_hides_it_and_shows_previous_versions(
    nas: Nas, ordinary_user: User, volume: Path
) -> None:
    """With those lines in smb.conf nobody can rename it, and users see previous versions."""
    nas.samba.set_share(Share("whole", volume, {"veto files": "/*.tmp/"}))
    nas.samba.reload()
    argv = [SCRIPTS / "fsrvpctl", "-s", nas.samba.conf, "share-config", "whole"]
    heading, *lines = nas.lab.run(argv).stdout.splitlines()
    assert heading == "[whole]"
    pairs = (line.partition("=") for line in lines)
    options = {name.strip(): value.strip() for name, _, value in pairs}
    assert options["veto files"] == "/*.tmp/.fsrvpd/"
    nas.samba.set_share(Share("whole", volume, options))
    nas.samba.reload()
    nas.samba.write("whole", "public.txt", "as it was\n")
    [copy] = fss.create_expose(nas.samba, "whole")
    nas.samba.write("whole", "public.txt", "as it is\n")
    with SmbUser(nas, ordinary_user) as smb_user:
        assert HOME not in smb_user.names("whole")
        assert refusal(lambda: smb_user.names("whole", HOME)) == OBJECT_NAME_NOT_FOUND
        assert refusal(lambda: smb_user.rename("whole", HOME, "mine")) == OBJECT_NAME_NOT_FOUND
        [version] = smb_user.versions("whole", "public.txt")
        old = f"@GMT-{version:%Y.%m.%d-%H.%M.%S}\\public.txt"
        assert nas.samba.read("whole", old, user=ordinary_user) == "as it was\n"
        assert smb_user.read(copy.share, "public.txt") == "as it was\n"
        assert HOME not in smb_user.names(copy.share)
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_a_volume_that_was_moved_by_copying(nas: Nas) -> None:
    """`.fsrvpd` and the snapshots are plain directories there: sets follow each other, `prune`
    removes what was copied, and a subvolume takes its place."""
    old, new = nas.volumes["more"], nas.lab.volume("btrfs", "moved")
    nas.samba.set_share(Share("moving", old))
    nas.samba.reload()
    nas.samba.write("moving", "public.txt", "as it was\n")
    [copy] = fss.create_expose(nas.samba, "moving")
    nas.lab.run(["cp", "--archive", f"{old}/.", new])
    fss.delete(nas.samba, copy)
    nas.samba.set_share(Share("moving", new))
    nas.samba.reload()
    [copied] = (nas.lab.seen(new) / HOME).glob("fsrvp-*")
    standing = []
    for _ in range(2):
        [copy] = fss.create_expose(nas.samba, "moving", mode="rw")
        fss.recovery_complete(nas.samba, copy)
        assert nas.samba.read(copy.share, "public.txt") == "as it was\n"
        standing.append(copy)
    said = " ".join(nas.daemon.ctl("check-path", "moving").stdout.split())
    assert "is a plain directory, as in a volume that was copied or restored" in said
    [orphan] = nas.daemon.ask("prune")
    assert (orphan["object"], orphan["action"]) == (f"{new}/{HOME}/{copied.name}", "remove")
    assert not copied.exists()
    for copy in standing:
        assert nas.samba.read(copy.share, "public.txt") == "as it was\n"
        fss.delete(nas.samba, copy)
    [copy] = fss.create_expose(nas.samba, "moving")
    assert (nas.lab.seen(new) / HOME).stat().st_ino == 256
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()
