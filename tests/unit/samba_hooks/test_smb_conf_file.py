"""smb.conf is replaced as a whole, in the way to it nobody else can put a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Callable

import pytest

from fsrvpd.errors import ConfigError
from samba_hooks.smb_conf_file import read, replace

OLD, NEW = "[global]\r\n\tcomment = \udcff\n", "[global]\n\tcomment = \udcfe\r\n"


def nothing(path: str) -> None:
    return None


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "smb.conf"
    path.parent.mkdir(0o755)
    path.write_bytes(OLD.encode(errors="surrogateescape"))
    return path


def test_what_the_file_is_stays(conf: Path) -> None:
    conf.chmod(0o640)
    os.setxattr(conf, "user.note", b"mine")
    before = conf.stat()
    replace(str(conf), OLD, NEW, nothing)
    assert read(str(conf)) == NEW
    after = conf.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert after.st_ino != before.st_ino
    assert os.getxattr(conf, "user.note") == b"mine"


def test_whoever_checks_sees_the_new_text_and_the_old_file(conf: Path) -> None:
    def check(new: str) -> None:
        assert read(new) == NEW
        assert os.path.dirname(new) == str(conf.parent)
        assert read(str(conf)) == OLD
        raise ConfigError("no")

    with pytest.raises(ConfigError, match=r"^no$"):
        replace(str(conf), OLD, NEW, check)
    assert read(str(conf)) == OLD
    assert list(conf.parent.iterdir()) == [conf]


def unexpected(path: str) -> None:
    raise AssertionError("what was edited before need not be checked")


def test_an_edit_before_is_kept(conf: Path) -> None:
    with pytest.raises(ConfigError, match="edited meanwhile; try again"):
        replace(str(conf), "other", NEW, unexpected)
    assert read(str(conf)) == OLD


@pytest.mark.parametrize("by_rename", [False, True])
def test_an_edit_during_the_check_is_kept(conf: Path, by_rename: bool) -> None:
    def edit(path: str) -> None:
        edited = conf.with_name("edited") if by_rename else conf
        edited.write_text("edited")
        if by_rename:
            edited.rename(conf)

    with pytest.raises(ConfigError, match="edited meanwhile; try again"):
        replace(str(conf), OLD, NEW, edit)
    assert read(str(conf)) == "edited"
    assert list(conf.parent.iterdir()) == [conf]


@pytest.mark.parametrize("target", ["etc/smb.conf", "./etc/../etc//smb.conf", "{}/etc/smb.conf"])
def test_links_are_followed_and_stay(conf: Path, tmp_path: Path, target: str) -> None:
    link, other = tmp_path / "link.conf", tmp_path / "other"
    link.symlink_to(target.replace("{}", str(tmp_path)))
    other.symlink_to(".")
    replace(str(other / "link.conf"), OLD, NEW, nothing)
    assert link.is_symlink()
    assert read(str(conf)) == NEW


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777], ids=oct)
def test_not_where_others_can_rename(conf: Path, mode: int) -> None:
    """With the sticky bit they can rename only what is their own."""
    conf.parent.chmod(mode)
    if mode & stat.S_ISVTX:
        replace(str(conf), OLD, NEW, nothing)
        assert read(str(conf)) == NEW
        return
    with pytest.raises(ConfigError, match=f"others than root can rename what is in {conf.parent}"):
        replace(str(conf), OLD, NEW, nothing)
    assert read(str(conf)) == OLD


@pytest.mark.root
@pytest.mark.parametrize("which", ["directory", "link in a sticky directory"])
def test_not_through_what_a_user_owns(conf: Path, tmp_path: Path, which: str) -> None:
    link = tmp_path / "shared" / "smb.conf"
    link.parent.mkdir()
    link.symlink_to(conf)
    if which == "directory":
        os.chown(link.parent, 1234, 1234)
    else:
        link.parent.chmod(0o1777)
        os.chown(link, 1234, 1234, follow_symlinks=False)
    with pytest.raises(ConfigError, match=f"can rename what is in {link.parent}"):
        replace(str(link), OLD, NEW, nothing)
    assert read(str(conf)) == OLD


def pipe(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [pipe, loop, Path.mkdir])
def test_only_a_file_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "smb.conf")
    with pytest.raises((ConfigError, OSError)):
        replace(str(tmp_path / "smb.conf"), OLD, NEW, nothing)
    assert len(list(tmp_path.iterdir())) == 1
