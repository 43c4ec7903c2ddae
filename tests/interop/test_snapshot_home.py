"""Where snapshots live: what an ordinary user sees of it over SMB, and what of it is whose."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator

import pytest

from tests.interop.site import Site
from tests.interop.visitor import ACCESS_DENIED, OBJECT_NAME_NOT_FOUND, Visitor, refusal
from tests.lab import Share, User, fss
from tests.lab.daemon import SCRIPTS

HOME = ".fsrvpd"


@pytest.fixture(scope="module")
def clerk(site: Site) -> User:
    return site.samba.add_user("clerk")


@pytest.fixture(params=["more", "vault"], ids=["btrfs", "xfs"], scope="module")
def volume(site: Site, request: pytest.FixtureRequest) -> Path:
    return site.volumes[request.param]


@pytest.fixture
def share(site: Site, volume: Path) -> Iterator[str]:
    """The whole volume as a share, in whose root everybody may write, with a snapshot."""
    site.samba.set_share(Share("whole", volume))
    site.samba.reload()
    site.samba.write("whole", "public.txt", "as it was\n")
    [copy] = fss.create_expose(site.samba, "whole")
    yield "whole"
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def snapshot(site: Site) -> Path:
    """The snapshot of the one set."""
    [listed] = site.daemon.ask("list-sets")
    return Path(listed["copies"][0]["snapshot"])


def assert_closed(visitor: Visitor, share: str, directory: Path) -> None:
    assert refusal(lambda: visitor.names(share, str(directory))) == ACCESS_DENIED
    new = str(directory / "new.txt")
    assert refusal(lambda: visitor.write(share, new, "no")) == ACCESS_DENIED


def test_users_can_pass_through_and_neither_list_nor_change(
    site: Site, clerk: User, volume: Path, share: str
) -> None:
    below = snapshot(site).relative_to(volume)
    with Visitor(site, clerk) as visitor:
        for parent in below.parents[:-1]:
            assert_closed(visitor, share, parent)
        assert refusal(lambda: visitor.names(share, f"{HOME}/.marks")) == ACCESS_DENIED
        renamed = str(below.parent / "mine")
        assert refusal(lambda: visitor.rename(share, str(below), renamed)) == ACCESS_DENIED
        # smbd does as much for a user of the copy, in whose path this lies.
        assert visitor.read(share, str(below / "public.txt")) == "as it was\n"


def test_everything_on_the_way_belongs_to_root(site: Site, volume: Path, share: str) -> None:
    below = snapshot(site).relative_to(volume)
    for directory in (volume / parent for parent in below.parents[:-1]):
        found = os.stat(site.lab.seen(directory))
        assert (found.st_uid, found.st_gid) == (0, 0)
        assert stat.S_IMODE(found.st_mode) == 0o711
    marks = os.stat(site.lab.seen(volume / HOME / ".marks"))
    assert (marks.st_uid, stat.S_IMODE(marks.st_mode)) == (0, 0o700)


def test_no_snapshot_contains_the_others(site: Site, share: str) -> None:
    inside = site.lab.seen(snapshot(site) / HOME)
    assert not inside.exists() or not list(inside.iterdir())


def test_what_share_config_prints_hides_it_and_shows_previous_versions(
    site: Site, clerk: User, volume: Path
) -> None:
    """With that in smb.conf nobody renames it, and its snapshots are previous versions."""
    site.samba.set_share(Share("whole", volume, {"veto files": "/*.tmp/"}))
    site.samba.reload()
    argv = [SCRIPTS / "fsrvpctl", "-s", site.samba.conf, "share-config", "whole"]
    heading, *lines = site.lab.run(argv).stdout.splitlines()
    assert heading == "[whole]"
    options = dict(line.strip().split(" = ", 1) for line in lines)
    assert options["veto files"] == "/*.tmp/.fsrvpd/"
    site.samba.set_share(Share("whole", volume, options))
    site.samba.reload()
    site.samba.write("whole", "public.txt", "as it was\n")
    [copy] = fss.create_expose(site.samba, "whole")
    site.samba.write("whole", "public.txt", "as it is\n")
    with Visitor(site, clerk) as visitor:
        assert HOME not in visitor.names("whole")
        assert refusal(lambda: visitor.names("whole", HOME)) == OBJECT_NAME_NOT_FOUND
        assert refusal(lambda: visitor.rename("whole", HOME, "mine")) == OBJECT_NAME_NOT_FOUND
        [version] = visitor.versions("whole", "public.txt")
        old = f"@GMT-{version:%Y.%m.%d-%H.%M.%S}\\public.txt"
        assert site.samba.read("whole", old, user=clerk) == "as it was\n"
        assert visitor.read(copy.share, "public.txt") == "as it was\n"
        assert HOME not in visitor.names(copy.share)
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()
