"""`fsrvpctl share-config SHARE`: the lines for previous versions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from fsrvpd.ctl import share_config
from fsrvpd.errors import FsrvpdError
from fsrvpd.protocol.exports import ROOT, key_of
from fsrvpd.protocol.ports import Share, ShareLocation


def run(monkeypatch: pytest.MonkeyPatch, share: Optional[Share], directory: str = "/vol") -> int:
    registry = SimpleNamespace(
        close=lambda: None,
        share=lambda name: share,
        configuration=lambda: SimpleNamespace(state_directory="/var/lib/samba"),
    )
    monkeypatch.setattr(share_config, "LiveMounts", lambda: None)
    monkeypatch.setattr(share_config, "open_registry", lambda arguments, to_read: registry)
    monkeypatch.setattr(share_config, "standard", lambda *_: None)
    monkeypatch.setattr(share_config, "samba_tools", lambda _: None)
    monkeypatch.setattr(share_config.vfs_modules, "missing", lambda _, words: words[1:])

    def locate(share: Share) -> ShareLocation:
        return ShareLocation(share, "btrfs:1", "/vol", "btrfs", directory)

    monkeypatch.setattr(share_config, "Volumes", lambda *_: SimpleNamespace(locate=locate))
    arguments: Any = SimpleNamespace(share="data", configfile="/c")
    return share_config.share_config(arguments)


def test_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    share = Share("data", "/vol", False, vfs_objects=("acl_xattr", "shadow_copy2"))
    assert run(monkeypatch, share) == 0
    printed = capsys.readouterr()
    assert "smbd cannot load the vfs object acl_xattr" in printed.err
    section, *lines = printed.out.splitlines()
    assert section == "[data]"
    options = dict(line[4:].split(" = ") for line in lines)
    assert options["vfs objects"] == "shadow_copy2 acl_xattr"
    assert options["shadow:snapdir"] == f"{ROOT}/{key_of('btrfs:1', '', 'data')}/copies"
    assert options["shadow:basedir"] == "/vol"
    assert options["veto files"] == "/.fsrvpd/"
    assert options["fsrvp:previous versions"] == "yes"


def test_the_snapshots_directory_is_vetoed_where_users_see_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    share = Share("data", "/vol", False, veto_files="/.DS_Store/.fsrvpd/")
    run(monkeypatch, share)
    assert "    veto files = /.DS_Store/.fsrvpd/\n" in capsys.readouterr().out
    run(monkeypatch, share, directory="/vol/data")
    assert "veto files" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "only while backups are made"),
        ({"keep": "yes"}, "stay for ever"),
        ({"keep": "yes", "keep daily": "14"}, "until the `fsrvp:keep` options no longer want"),
    ],
)
def test_it_says_what_becomes_of_the_versions(
    options: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, Share("data", "/vol", False, options=options))
    assert said in " ".join(capsys.readouterr().err.split())


def test_there_is_no_such_share(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FsrvpdError, match="there is no share 'data'"):
        run(monkeypatch, None)


def test_a_share_of_the_registry_gets_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A section in smb.conf would make a second share, without a path."""
    run(monkeypatch, Share("my data", "/vol/a  b", True), directory="/vol/a  b")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("net -s /c conf setparm 'my data' ") for line in lines)
    assert "net -s /c conf setparm 'my data' shadow:basedir '/vol/a  b'" in lines
    assert "net -s /c conf setparm 'my data' shadow:snapsharepath ''" in lines


def test_names_that_the_system_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A netgroup, or an account of a domain while winbind is down, may well exist."""
    options = {"backup users": "root @root &netgroup nobody-here"}
    run(monkeypatch, Share("data", "/vol", False, options=options))
    said = [line for line in capsys.readouterr().err.splitlines() if "does not know" in line]
    assert said == [
        f"share data: fsrvp:backup users: the system does not know {name} now (a netgroup? winbind"
        " down?)"
        for name in ("&netgroup", "nobody-here")
    ]


@pytest.mark.parametrize("directory", ["/vol/a  b", "/vol/a ", "/vol/a\\"])
def test_what_smb_conf_cannot_express(monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    with pytest.raises(FsrvpdError, match="define the share with `net conf addshare`"):
        run(monkeypatch, Share("data", directory, False), directory=directory)
