"""`fsrvpctl setup` takes Samba's own agent away from samba-dcerpcd; `--undo` gives it back."""

from __future__ import annotations

import re
from typing import Iterator

import pytest

from lab import fss
from lab.daemon import SCRIPTS
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas, open_nas
from tests.interop.test_pipe_kept import times_retaken

MOVED = "/usr/libexec/samba/replaced-by-fsrvpd.rpcd_fsrvp"
FSRVPCTL = SCRIPTS / "fsrvpctl"


@pytest.fixture
def contested() -> Iterator[Nas]:
    """A NAS with Samba's own agent, where setup cannot change the machine."""
    with open_nas(own_agent=True) as nas:
        shield_the_machine(nas)
        yield nas


def shield_the_machine(nas: Nas) -> None:
    """Put copies that may be changed over /usr/libexec and dpkg's database."""
    for directory in ("/usr/libexec", "/var/lib/dpkg"):
        copy = nas.lab.directory / ("copy" + directory.replace("/", "-"))
        nas.lab.run(["cp", "-a", directory, copy])
        nas.lab.run(["mount", "--bind", copy, directory])


def fsrvpctl(nas: Nas, *arguments: str) -> str:
    argv = [FSRVPCTL, "-s", nas.samba.conf, *arguments]
    return str(nas.lab.run(argv).stdout)


def test_setup_and_undo(contested: Nas) -> None:
    nas = contested
    helper = "/usr/libexec/samba/rpcd_fsrvp"
    assert "would run dpkg-divert" in fsrvpctl(nas, "setup", "--dry-run")
    assert nas.lab.run(["test", "-x", helper]).returncode == 0

    assert "ran dpkg-divert" in fsrvpctl(nas, "setup")
    assert nas.lab.run(["test", "-e", helper], check=False).returncode == 1
    assert "nothing to do" in fsrvpctl(nas, "setup")
    nas.lab.run(["cp", "-p", MOVED, helper])  # as a restored backup does
    assert f"ran mv {helper} {MOVED}" in fsrvpctl(nas, "setup")
    assert nas.lab.run(["test", "-e", helper], check=False).returncode == 1

    before = times_retaken(nas)
    nas.samba.stop()
    nas.samba.start()
    nas.samba.rpcclient("srvinfo")  # samba-dcerpcd binds all it still finds
    assert "supports FSRVP versions" in nas.samba.rpcclient("fss_get_sup_version").stdout
    assert times_retaken(nas) == before
    wait_until("our agent has answered", lambda: len(nas.daemon.calls()) == 1)

    nas.lab.run(["cp", "-p", MOVED, helper])
    assert "ran dpkg-divert" in fsrvpctl(nas, "setup", "--undo")
    assert nas.lab.run(["test", "-e", MOVED], check=False).returncode == 1
    assert nas.lab.run(["test", "-x", helper]).returncode == 0
    assert "nothing to do" in fsrvpctl(nas, "setup", "--undo")


def test_where_the_system_cannot_be_changed_setup_says_how_else(contested: Nas) -> None:
    """It does the rest itself, and the command that it prints is enough."""
    nas = contested
    nas.lab.run(["mount", "-o", "remount,bind,ro", "/usr/libexec"])
    argv = [FSRVPCTL, "-s", nas.samba.conf, "setup"]
    done = nas.lab.run(argv, check=False)
    assert done.returncode == 1
    assert "registry shares: already enabled" in done.stdout
    hide = done.stderr.rpartition("starts: ")[2].split()
    assert hide == ["mount", "--bind", "/dev/null", "/usr/libexec/samba/rpcd_fsrvp"]
    nas.lab.run(hide)
    assert "already disabled" in fsrvpctl(nas, "setup")
    before = times_retaken(nas)
    nas.samba.stop()
    nas.samba.start()
    nas.samba.rpcclient("srvinfo")  # samba-dcerpcd binds all it still finds
    assert times_retaken(nas) == before


def test_setup_asks_for_registry_shares(contested: Nas) -> None:
    argv = [FSRVPCTL, "-s", contested.samba.conf, "--option=registry shares=no", "setup"]
    done = contested.lab.run(argv, check=False)
    assert done.returncode == 1
    assert "`registry shares = yes`" in done.stderr


def test_share_config_prints_what_previous_versions_want(contested: Nas) -> None:
    lines = fsrvpctl(contested, "share-config", "fsrvp_share")
    root = contested.volumes["projects"]
    assert re.search("^ *shadow:snapdir = /run/fsrvpd/shares/[0-9a-f]{32}/copies$", lines, re.M)
    assert f"shadow:basedir = {root}" in lines
    assert "shadow:format = _GMT-%Y.%m.%d-%H.%M.%S" in lines
    assert "vfs objects = shadow_copy2" in lines


def test_setup_turns_registry_shares_on_with_consent_and_undo_off_again(
    contested: Nas,
) -> None:
    nas, conf = contested, contested.samba.conf
    nas.samba.set_option("registry shares", None)
    lines = conf.read_text()
    assert "would add `registry shares = yes`" in fsrvpctl(nas, "setup", "--dry-run")
    refused = nas.daemon.command("setup", check=False)
    assert refused.returncode == 1
    assert "answer yes, or give --yes" in refused.stderr
    assert conf.read_text() == lines

    command = f"{FSRVPCTL} -s {conf} setup"
    silent = nas.lab.run(["script", "-qec", command, "/dev/null"], input="\x04", check=False)
    assert silent.returncode == 1
    assert "Traceback" not in silent.stdout
    assert conf.read_text() == lines
    said = nas.lab.run(["script", "-qec", command, "/dev/null"], input="y\n").stdout
    assert "[y/N]" in said
    assert "already enabled" in fsrvpctl(nas, "setup")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    nas.samba.smbclient(copy.share, "ls")  # smbd has read it
    fss.delete(nas.samba, copy)

    fsrvpctl(nas, "setup", "--undo", "--yes")
    assert conf.read_text() == lines


def test_setup_leaves_the_agent_to_who_wants_it(contested: Nas) -> None:
    """The same for the upgrade of a package, which calls `setup --agent-only`."""
    nas = contested
    helper = "/usr/libexec/samba/rpcd_fsrvp"
    fsrvpctl(nas, "setup", "--agent-only")
    nas.samba.set_option("fsrvpd:serve pipe", "no")
    assert "ran dpkg-divert" in fsrvpctl(nas, "setup", "--agent-only")
    assert nas.lab.run(["test", "-x", helper]).returncode == 0
    assert "left in place (fsrvpd:serve pipe = no)" in fsrvpctl(nas, "setup", "--agent-only")
    assert nas.lab.run(["test", "-x", helper]).returncode == 0
    nas.daemon.restart()
    assert "served by Samba's own agent" in nas.daemon.ctl("status").stdout
    doctor = nas.lab.run([*nas.daemon.fsrvpctl, "doctor", "--no-self-test"], check=False).stdout
    assert "serves the pipe" in doctor
    assert "belongs to another program" not in doctor
