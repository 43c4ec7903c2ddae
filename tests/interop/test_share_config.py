"""What `fsrvpctl share-config` prints shows previous versions that clients can open, whatever
[global] sets for shadow_copy2, and for a share of the registry as well."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lab import Share, fss
from tests.interop.nas import Nas
from tests.interop.test_previous_versions import printed_lines, tokens_of

SHARE, IN_REGISTRY, ROOT = "deep", "in the registry", "root"
# Every setting of shadow_copy2 in Samba 4.13 to 4.25, with values that are not its defaults.
GLOBALS = [
    ("snapdir", ".snapshots"),
    ("snapdir", "/elsewhere"),
    ("basedir", "/"),
    ("basedir", "/elsewhere"),
    ("mountpoint", "/"),
    ("mountpoint", "/elsewhere"),
    ("snapsharepath", "elsewhere"),
    ("snapdirseverywhere", "yes"),
    ("crossmountpoints", "yes"),
    ("fixinodes", "yes"),
    ("sort", "asc"),
    ("sort", "none"),
    ("format", "snap_%Y"),
    ("sscanf", "yes"),
    ("localtime", "yes"),
    ("snapprefix", "^daily"),
    ("delimiter", "-at-"),
]


@pytest.fixture(scope="module")
def versions(nas: Nas) -> Nas:
    """Shares configured as `share-config` says while [global] has all the settings, each with
    two copies."""
    deep = nas.volumes["more"] / "a" / "b" / "deep inside"
    nas.samba.set_share(Share(ROOT, nas.volumes["vault"]))
    nas.samba.net("conf", "addshare", IN_REGISTRY, str(nas.volumes["data"] / "hidden"))
    nas.samba.net("conf", "setparm", IN_REGISTRY, "read only", "no")
    for name, value in GLOBALS:
        nas.samba.set_option(f"shadow:{name}", value)
    nas.samba.set_share(Share(SHARE, deep, printed_lines(nas, SHARE)))
    root_lines = printed_lines(nas, ROOT)
    assert root_lines["veto files"] == "/.fsrvpd/"
    nas.samba.set_share(Share(ROOT, nas.volumes["vault"], root_lines))
    commands = nas.daemon.command("share-config", IN_REGISTRY).stdout.splitlines()
    start = f"net -s {nas.samba.conf} conf setparm {shlex.quote(IN_REGISTRY)} "
    assert all(command.startswith(start) for command in commands)
    nas.lab.run(["sh", "-ec", "\n".join(commands)])
    nas.samba.reload()
    for share in (SHARE, IN_REGISTRY, ROOT):
        for number in range(2):
            nas.samba.write(share, "versions.txt", f"version {number}\n")
            calls = len(nas.daemon.calls())
            [copy] = fss.create_expose(nas.samba, share)
            assert len(nas.daemon.calls()) > calls, "another agent answered"
            fss.recovery_complete(nas.samba, copy)
        nas.samba.write(share, "versions.txt", "the present\n")
    return nas


def assert_can_be_opened(nas: Nas, share: str) -> None:
    tokens = tokens_of(nas, share, nas.samba.root)
    assert len(tokens) == 2, (share, tokens)
    for number, token in enumerate(tokens):
        past = nas.samba.read(share, rf"{token}\versions.txt")
        assert past == f"version {number}\n"
    listed = nas.samba.smbclient(share, rf"ls {tokens[0]}\*").stdout
    assert "versions.txt" in listed


@pytest.mark.parametrize("share", [SHARE, IN_REGISTRY, ROOT])
def test_with_all_settings_in_global(versions: Nas, share: str) -> None:
    assert_can_be_opened(versions, share)


@pytest.fixture(scope="module")
def token(versions: Nas) -> str:
    """The later version, as a client names it."""
    return tokens_of(versions, SHARE, versions.samba.root)[-1]


@pytest.mark.parametrize("setting", GLOBALS, ids=" = ".join)
def test_with_one_setting_in_global(versions: Nas, setting: tuple[str, str], token: str) -> None:
    name, value = setting
    for other, _ in GLOBALS:
        versions.samba.set_option(f"shadow:{other}", None)
    versions.samba.set_option(f"shadow:{name}", value)
    versions.samba.reload()
    local = versions.lab.directory / "download"
    past = rf"{token}\versions.txt"
    shown = versions.samba.smbclient(SHARE, f'allinfo versions.txt; get "{past}" "{local}"').stdout
    assert token in shown
    assert versions.lab.seen(local).read_text() == "version 1\n"


def test_it_says_where_the_lines_go(versions: Nas) -> None:
    said = versions.daemon.command("share-config", SHARE).stderr
    assert f"Put these lines into the section [{SHARE}]" in " ".join(said.split())
    assert "the section" not in versions.daemon.command("share-config", IN_REGISTRY).stderr


def test_a_section_that_is_there_twice(versions: Nas) -> None:
    """As Samba sees it: what had been appended takes the options of the first."""
    conf = versions.lab.seen(Path(versions.samba.conf))
    before = conf.read_text()
    conf.write_text(f"{before}\n[{SHARE}]\n\tcomment = appended\n")
    try:
        tools = versions.lab.run(["testparm", "-s", f"--section-name={SHARE}", versions.samba.conf])
        assert "shadow:" not in tools.stdout
        said = versions.daemon.command("check-config", check=False)
        assert said.returncode == 1
        number = len(before.splitlines()) + 2
        assert f"line {number}: [{SHARE}] is there a second time" in said.stdout
        assert "shadow:snapdir" in said.stdout
    finally:
        conf.write_text(before)


def test_the_registry_share_is_still_one(versions: Nas) -> None:
    """Lines of smb.conf would have made a second section, without a path."""
    found = versions.daemon.ask("check-path", IN_REGISTRY)
    assert found["supported"]
    assert versions.daemon.command("check-config").returncode == 0
