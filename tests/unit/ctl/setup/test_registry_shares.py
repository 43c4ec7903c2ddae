"""smb.conf gets fsrvpd's lines if it needs them, and is as before when they are removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.ctl.setup import registry_shares
from fsrvpd.errors import ConfigError, RegistryError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.tools import SambaTools

CONF = "# mine\n[Global]\n\tworkgroup = GRÖẞE\n\n[data]\n\tpath = /srv\n"


def configuration(path: Path, on: bool) -> SambaConfiguration:
    blank: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    return SambaConfiguration(**{**blank, "config_file": str(path), "registry_shares": on})


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "smb.conf"
    path.write_text(CONF)
    path.chmod(0o640)
    return path


def tools(path: Path) -> SambaTools:
    return SambaTools(str(path), (), 30.0)


def test_lines_come_and_go(conf: Path) -> None:
    change = registry_shares.addition(configuration(conf, on=False))
    assert change is not None
    registry_shares.apply(change, tools(conf))
    assert "[Global]\n\t# fsrvpctl setup" in conf.read_text()
    assert tools(conf).parameter("workgroup") == "GRÖẞE"
    assert conf.stat().st_mode & 0o777 == 0o640
    assert registry_shares.addition(configuration(conf, on=True)) is None
    back = registry_shares.removal(configuration(conf, on=True))
    assert back is not None
    registry_shares.apply(back, tools(conf))
    assert conf.read_text() == CONF
    assert registry_shares.removal(configuration(conf, on=False)) is None


@pytest.mark.skipif(not shutil.which("setfacl"), reason="setfacl is not installed")
def test_the_acl_stays(conf: Path) -> None:
    subprocess.run(["setfacl", "--modify=user:1234:rw,group::-", str(conf)], check=True)
    os.utime(conf, (1, 1))
    acl = os.getxattr(conf, "system.posix_acl_access")
    change = registry_shares.addition(configuration(conf, on=False))
    assert change is not None
    registry_shares.apply(change, tools(conf))
    assert os.getxattr(conf, "system.posix_acl_access") == acl
    assert conf.stat().st_mtime > 1, "smbd would not read it again"


def test_a_link_stays_a_link(conf: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.conf"
    link.symlink_to(conf)
    change = registry_shares.addition(configuration(link, on=False))
    assert change is not None
    registry_shares.apply(change, tools(link))
    assert link.is_symlink()
    assert registry_shares.MARK in conf.read_text()


def test_what_samba_cannot_read_is_not_put_in_place(conf: Path) -> None:
    change = registry_shares.Change(str(conf), CONF, "[global\nbroken", True, "break it")
    with pytest.raises(RegistryError):
        registry_shares.apply(change, tools(conf))
    assert conf.read_text() == CONF
    assert list(conf.parent.iterdir()) == [conf]


def test_a_file_without_global_is_refused(conf: Path) -> None:
    conf.write_text("[data]\n")
    with pytest.raises(ConfigError, match=r"has no section \[global\]"):
        registry_shares.addition(configuration(conf, on=False))


def test_what_has_no_effect_is_not_put_in_place(conf: Path) -> None:
    conf.write_text(CONF.replace("\tworkgroup", "\tregistry shares = no\n\tworkgroup"))
    change = registry_shares.addition(configuration(conf, on=False))
    assert change is not None
    with pytest.raises(ConfigError, match="see line 3, `registry shares = no`"):
        registry_shares.apply(change, tools(conf))
    assert conf.read_text() == change.before
    with pytest.raises(ConfigError, match="edited meanwhile"):
        registry_shares.apply(change._replace(before=CONF, enables=False), tools(conf))


def test_line_ends_stay(conf: Path) -> None:
    conf.write_bytes(b"[data]\r\n[global]")
    change = registry_shares.addition(configuration(conf, on=False))
    assert change is not None
    registry_shares.apply(change, tools(conf))
    added = f"\r\n\t{registry_shares.MARK}\r\n\tregistry shares = yes"
    assert conf.read_bytes() == b"[data]\r\n[global]" + added.encode()
