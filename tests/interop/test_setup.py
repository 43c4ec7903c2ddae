"""`fsrvpctl setup` takes Samba's own agent away from samba-dcerpcd; `remove` gives it back."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.interop.site import Site, open_site
from tests.interop.test_pipe_kept import times_retaken
from tests.lab.daemon import SCRIPTS
from tests.lab.namespaces import wait_until

FSRVPCTL = SCRIPTS / "fsrvpctl"


@pytest.fixture
def contested() -> Iterator[Site]:
    """A site whose /usr/libexec and dpkg database are copies that may be changed."""
    with open_site(own_agent=True) as site:
        for directory in ("/usr/libexec", "/var/lib/dpkg"):
            copy = site.lab.directory / ("copy" + directory.replace("/", "-"))
            site.lab.run(["cp", "-a", directory, copy])
            site.lab.run(["mount", "--bind", copy, directory])
        yield site


def fsrvpctl(site: Site, *arguments: str) -> str:
    argv = [FSRVPCTL, "-s", site.samba.conf, *arguments]
    return str(site.lab.run(argv).stdout)


def test_setup_and_remove(contested: Site) -> None:
    site = contested
    helper = "/usr/libexec/samba/rpcd_fsrvp"
    assert "would run dpkg-divert" in fsrvpctl(site, "setup", "--dry-run")
    assert site.lab.run(["test", "-x", helper]).returncode == 0

    assert "ran dpkg-divert" in fsrvpctl(site, "setup")
    assert site.lab.run(["test", "-e", helper], check=False).returncode == 1
    assert "nothing to do" in fsrvpctl(site, "setup")

    before = times_retaken(site)
    site.samba.stop()
    site.samba.start()
    site.samba.rpcclient("srvinfo")  # samba-dcerpcd binds all it still finds
    assert "supports FSRVP versions" in site.samba.rpcclient("fss_get_sup_version").stdout
    assert times_retaken(site) == before
    wait_until("our agent has answered", lambda: len(site.daemon.calls()) == 1)

    assert "ran dpkg-divert" in fsrvpctl(site, "remove")
    assert site.lab.run(["test", "-x", helper]).returncode == 0
    assert "nothing to do" in fsrvpctl(site, "remove")


def test_setup_asks_for_registry_shares(contested: Site) -> None:
    argv = [FSRVPCTL, "-s", contested.samba.conf, "--option=registry shares=no", "setup"]
    done = contested.lab.run(argv, check=False)
    assert done.returncode == 1
    assert "`registry shares = yes`" in done.stderr


def test_share_config_prints_what_previous_versions_want(contested: Site) -> None:
    lines = fsrvpctl(contested, "share-config", "fsrvp_share")
    root = contested.volumes["projects"]
    assert f"shadow:snapdir = {root}/.fsrvpd" in lines
    assert f"shadow:basedir = {root}" in lines
    assert "shadow:format = _GMT-%Y.%m.%d-%H.%M.%S" in lines
    assert "vfs objects = shadow_copy2" in lines
