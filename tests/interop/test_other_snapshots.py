"""Snapshots that other tools keep below a share: passed over and said; what is data is refused."""

from __future__ import annotations

import os
import stat
from itertools import count
from pathlib import Path
from typing import Iterator

import pytest

from lab import Share, fss
from tests.interop.nas import Nas, make_directory

OLD = "@GMT-2026.01.02-03.04.05"
NUMBERS = count()


@pytest.fixture(params=["btrfs", "reflink"])
def share(nas: Nas, request: pytest.FixtureRequest) -> Iterator[Share]:
    """A share that is a subvolume of btrfs, open to all users."""
    name = f"tools{next(NUMBERS)}"
    path = nas.volumes["data"] / name
    nas.lab.run(["btrfs", "subvolume", "create", path])
    nas.lab.run(["chmod", "0777", path])
    yield put(nas, Share(name, path, {"fsrvp:provider": request.param}))
    nas.assert_nothing_is_left()


def put(nas: Nas, share: Share) -> Share:
    nas.samba.set_share(share)
    nas.samba.reload()
    nas.samba.write(share.name, "report.txt", "as it was\n")
    return share


def snapshot(nas: Nas, source: Path, to: Path, *flags: str) -> None:
    nas.lab.run(["btrfs", "subvolume", "snapshot", *flags, source, to])


def copied(nas: Nas, share: Share) -> set[str]:
    """Make a copy by a client's calls, and read it through smbd: the names in it."""
    calls = len(nas.daemon.calls())
    [copy] = fss.create_expose(nas.samba, share.name)
    assert len(nas.daemon.calls()) > calls, "our agent has not answered"
    nas.samba.write(share.name, "report.txt", "as it is\n")
    assert nas.samba.read(copy.share, "report.txt") == "as it was\n"
    nas.samba.write(share.name, "report.txt", "as it was\n")
    listed = nas.samba.smbclient(copy.share, "recurse; ls").stdout
    fss.delete(nas.samba, copy)
    return {line.split()[0] for line in listed.splitlines() if line.startswith("  ")}


def said(nas: Nas, share: Share) -> str:
    return " ".join(nas.daemon.ctl("check-path", share.name, check=False).stdout.split())


def test_snapshots_of_the_share_itself_are_passed_over(nas: Nas, share: Share) -> None:
    """As vfs_btrfs and btrbk make them; the copy has none of their content."""
    nas.samba.write(share.name, "only-then.txt", "old\n")
    snapshot(nas, share.path, share.path / OLD, "-r")
    nas.samba.smbclient(share.name, "del only-then.txt")
    assert "only-then.txt" not in copied(nas, share)
    assert f"left out: {share.path / OLD}" in said(nas, share)
    logged = [line for line in nas.daemon.read_log().splitlines() if str(share.path / OLD) in line]
    assert len(logged) == 1, "it is logged once"
    answer = nas.daemon.ask("check-path", share.name)
    assert [each["path"] for each in answer["left_out"]] == [str(share.path / OLD)]


def test_the_directory_of_snapper_is_passed_over(nas: Nas, share: Share) -> None:
    home = share.path / ".snapshots"
    nas.lab.run(["btrfs", "subvolume", "create", home])
    nas.lab.run(["chmod", "0750", home])
    for number in ("1", "2"):
        nas.lab.run(["mkdir", home / number])
        nas.lab.run(["touch", home / number / "info.xml"])
        snapshot(nas, share.path, home / number / "snapshot", "-r")
    assert "info.xml" not in copied(nas, share)
    assert f"left out: {home}: holds nothing but" in said(nas, share)


def test_what_is_data_is_refused_with_its_path_and_the_option(nas: Nas, share: Share) -> None:
    layer = share.path / "docker" / "btrfs" / "subvolumes" / "4f1c"
    nas.lab.run(["mkdir", "-p", layer.parent])
    nas.lab.run(["btrfs", "subvolume", "create", layer])
    assert fss.refusal(nas.samba, f"fss_is_path_sup {share.name}")
    assert str(layer) in nas.daemon.tail(1)
    assert "fsrvp:ignore subvolumes = docker/btrfs/subvolumes/4f1c" in nas.daemon.tail(1)


@pytest.mark.parametrize("scope", ["share", "global"])
def test_the_option_names_more(nas: Nas, share: Share, scope: str) -> None:
    """A directory stands for all subvolumes below; a name counts where only root gives names."""
    layer = share.path / "docker" / "subvolumes" / "4f1c"
    nas.lab.run(["mkdir", "-p", layer.parent])
    nas.lab.run(["btrfs", "subvolume", "create", layer])
    nas.lab.run(["touch", layer / "layer.tar"])
    option = "fsrvp:ignore subvolumes"
    if scope == "share":
        put(nas, share._replace(options={**share.options, option: "docker"}))
    else:
        nas.samba.set_option(option, "docker")
    try:
        nas.samba.reload()
        assert fss.refusal(nas.samba, f"fss_is_path_sup {share.name}")
        assert f"chmod +t '{share.path}'" in nas.daemon.tail(1)
        nas.lab.run(["chmod", "+t", share.path])
        assert "layer.tar" not in copied(nas, share)
        assert f"left out: {layer}: {option} names it" in said(nas, share)
    finally:
        nas.samba.set_option(option, None)
        nas.samba.reload()


def test_the_option_names_a_subvolume_by_its_id(nas: Nas, share: Share) -> None:
    """Where users may rename: an id is nobody's to give."""
    scratch = share.path / "scratch"
    nas.lab.run(["btrfs", "subvolume", "create", scratch])
    assert fss.refusal(nas.samba, f"fss_is_path_sup {share.name}")
    number = nas.lab.run(["btrfs", "inspect-internal", "rootid", scratch]).stdout.strip()
    put(nas, share._replace(options={**share.options, "fsrvp:ignore subvolumes": number}))
    assert "report.txt" in copied(nas, share)


def test_mounted_snapshots_are_passed_over(nas: Nas) -> None:
    """On any file system: what root has mounted read-only under a snapshot's name."""
    share = put(nas, Share("mounted", make_directory(nas.lab, nas.volumes["vault"] / "mounted")))
    place = share.path / ".snapshots" / OLD
    nas.lab.run(["mkdir", "-p", place])
    nas.lab.run(["mount", "-t", "tmpfs", "tmpfs", place])
    nas.lab.run(["touch", place / "only-then.txt"])
    try:
        assert fss.refusal(nas.samba, f"fss_is_path_sup {share.name}")
        assert f"{place} would be missing" in nas.daemon.tail(1)
        assert f"fsrvp:ignore subvolumes = .snapshots/{OLD}" in nas.daemon.tail(1)
        nas.lab.run(["mount", "-o", "remount,ro", place])
        assert "only-then.txt" not in copied(nas, share)
        assert f"left out: {place}: a snapshot" in said(nas, share)
    finally:
        nas.lab.unmount(place)
    nas.assert_nothing_is_left()


def test_the_copy_of_a_volume_shows_no_snapshot_directory(nas: Nas) -> None:
    """An empty `.fsrvpd` would only puzzle who reads the backup."""
    share = put(nas, Share("root", nas.volumes["more"]))
    copied(nas, share)
    assert (nas.lab.seen(share.path) / ".fsrvpd").is_dir()
    assert ".fsrvpd" not in copied(nas, share)
    assert stat.S_ISDIR(os.stat(nas.lab.seen(share.path) / ".fsrvpd").st_mode)
    nas.assert_nothing_is_left()
