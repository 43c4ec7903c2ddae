"""`fsrvpctl setup` takes Samba's own agent away from samba-dcerpcd; `remove` gives it back."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.interop.site import TORTURE_SHARE, Site, open_site
from tests.interop.test_pipe_kept import times_retaken
from tests.lab import fss
from tests.lab.daemon import SCRIPTS
from tests.lab.namespaces import wait_until

FSRVPCTL = SCRIPTS / "fsrvpctl"


@pytest.fixture
def contested() -> Iterator[Site]:
    """A site with Samba's own agent, in which setup can change nothing of the machine."""
    with open_site(own_agent=True) as site:
        shield_the_machine(site)
        yield site


def shield_the_machine(site: Site) -> None:
    """/usr/libexec and dpkg's database become copies that may be changed."""
    for directory in ("/usr/libexec", "/var/lib/dpkg"):
        copy = site.lab.directory / ("copy" + directory.replace("/", "-"))
        site.lab.run(["cp", "-a", directory, copy])
        site.lab.run(["mount", "--bind", copy, directory])


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


def test_where_the_system_cannot_be_changed_setup_says_how_else(contested: Site) -> None:
    """And sees to the rest; what it tells to type is enough."""
    site = contested
    site.lab.run(["mount", "-o", "remount,bind,ro", "/usr/libexec"])
    argv = [FSRVPCTL, "-s", site.samba.conf, "setup"]
    done = site.lab.run(argv, check=False)
    assert done.returncode == 1
    assert "registry shares: on already" in done.stdout
    hide = done.stderr.rpartition("starts: ")[2].split()
    assert hide == ["mount", "--bind", "/dev/null", "/usr/libexec/samba/rpcd_fsrvp"]
    site.lab.run(hide)
    assert "out of the way already" in fsrvpctl(site, "setup")
    before = times_retaken(site)
    site.samba.stop()
    site.samba.start()
    site.samba.rpcclient("srvinfo")  # samba-dcerpcd binds all it still finds
    assert times_retaken(site) == before


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


def test_setup_turns_registry_shares_on_with_consent_and_remove_off_again(
    contested: Site,
) -> None:
    site, conf = contested, contested.samba.conf
    site.samba.set_option("registry shares", None)
    lines = conf.read_text()
    assert "would add `registry shares = yes`" in fsrvpctl(site, "setup", "--dry-run")
    refused = site.daemon.command("setup", check=False)
    assert refused.returncode == 1
    assert "say yes, or give --yes" in refused.stderr
    assert conf.read_text() == lines

    command = f"{FSRVPCTL} -s {conf} setup"
    silent = site.lab.run(["script", "-qec", command, "/dev/null"], input="\x04", check=False)
    assert silent.returncode == 1
    assert "Traceback" not in silent.stdout
    assert conf.read_text() == lines
    said = site.lab.run(["script", "-qec", command, "/dev/null"], input="y\n").stdout
    assert "[y/N]" in said
    assert "on already" in fsrvpctl(site, "setup")
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    site.samba.smbclient(copy.share, "ls")  # smbd has read it
    fss.delete(site.samba, copy)

    fsrvpctl(site, "remove", "--yes")
    assert conf.read_text() == lines


def test_setup_leaves_the_agent_to_who_wants_it(contested: Site) -> None:
    """Also when a package is upgraded, which calls `setup --agent-only`."""
    site = contested
    helper = "/usr/libexec/samba/rpcd_fsrvp"
    fsrvpctl(site, "setup", "--agent-only")
    site.samba.set_option("fsrvpd:serve pipe", "no")
    assert "ran dpkg-divert" in fsrvpctl(site, "setup", "--agent-only")
    assert site.lab.run(["test", "-x", helper]).returncode == 0
    assert "stays, as fsrvpd:serve pipe = no wants" in fsrvpctl(site, "setup", "--agent-only")
    assert site.lab.run(["test", "-x", helper]).returncode == 0
    site.daemon.restart()
    assert "left to Samba's own agent" in site.daemon.ctl("status").stdout
    doctor = site.lab.run([*site.daemon.fsrvpctl, "doctor", "--no-self-test"], check=False).stdout
    assert "serves the pipe" in doctor
    assert "another's" not in doctor
