"""VFS modules of Debian's Samba on the base share, and what its copy keeps of them.

ACLs and streams are read through the copy as through the base share. No module writes into a
copy by itself, and no copy is a source of snapshots.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple

import pytest

from lab import Share, User, fss
from tests.interop.nas import Nas, open_nas

STREAM = "report.txt:note"
VOLUMES = {"btrfs": "data", "xfs": "vault"}
NUMBERS = count()


class Case(NamedTuple):
    """`kept` lists the modules of the base share that the copy has as well."""

    objects: str
    kept: str
    options: Mapping[str, str] = {}
    storages: tuple[str, ...] = tuple(VOLUMES)


CASES = {
    "acl_xattr": Case("acl_xattr", "acl_xattr"),
    "acl_xattr alone decides": Case(
        "acl_xattr", "acl_xattr", {"acl_xattr:ignore system acls": "yes"}
    ),
    "streams_xattr": Case("streams_xattr", "streams_xattr"),
    "fruit": Case(
        "catia fruit streams_xattr",
        "catia fruit streams_xattr",
        {"fruit:time machine": "yes", "fruit:metadata": "stream", "fruit:resource": "xattr"},
    ),
    "recycle": Case("recycle", "", {"recycle:repository": ".recycle", "recycle:keeptree": "yes"}),
    "full_audit": Case(
        "full_audit", "full_audit", {"full_audit:success": "all", "full_audit:failure": "all"}
    ),
    "shadow_copy2": Case("shadow_copy2", "", {"shadow:snapdir": ".snapshots"}),
    "snapper": Case("snapper", ""),
    "btrfs": Case("btrfs", "", storages=("btrfs",)),
    "all that goes together": Case(
        "full_audit recycle shadow_copy2 catia fruit streams_xattr acl_xattr",
        "full_audit catia fruit streams_xattr acl_xattr",
    ),
}
EVERY_CASE = [
    pytest.param(case, storage, id=f"{name} on {storage}")
    for name, case in CASES.items()
    for storage in case.storages
]


class Place(NamedTuple):
    nas: Nas
    reader: User
    stranger: User


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with open_nas() as nas:
        yield Place(nas, nas.samba.add_user("reader"), nas.samba.add_user("stranger"))


def share_with(place: Place, case: Case, storage: str) -> str:
    """Make a share with the modules, a file with an ACL, and a stream where supported."""
    nas = place.nas
    name = f"share{next(NUMBERS)}"
    directory = nas.volumes[VOLUMES[storage]] / name
    nas.lab.run(["mkdir", "-m", "0777", directory])
    options = {**case.options, "vfs objects": case.objects}
    nas.samba.set_share(Share(name, directory, options))
    nas.samba.reload()
    nas.samba.write(name, "report.txt", "old\n")
    if "streams_xattr" in case.objects:
        nas.samba.write(name, STREAM, "a note\n")
    acl = [
        *("REVISION:1", f"OWNER:{nas.samba.sid(nas.samba.root)}"),
        f"ACL:{nas.samba.sid(place.reader)}:ALLOWED/0x0/READ",
        f"ACL:{nas.samba.sid(nas.samba.root)}:ALLOWED/0x0/FULL",
    ]
    smbcacls(place, name, "-S", ",".join(acl))
    return name


def smbcacls(place: Place, share: str, *arguments: str) -> str:
    samba = place.nas.samba
    unc = f"//{samba.address}/{share}"
    argv = ["smbcacls", "-s", samba.conf, "-U", samba.root.login, unc, "report.txt", *arguments]
    return str(samba.run(argv).stdout)


def parameters(place: Place, share: str) -> dict[str, str]:
    shown = place.nas.samba.net("conf", "showshare", share).stdout
    pairs = (line.partition("=") for line in shown.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def is_refused(place: Place, share: str, user: User) -> bool:
    local = place.nas.lab.directory / "refused"
    done = place.nas.samba.smbclient(share, f"get report.txt {local}", user=user, check=False)
    return "NT_STATUS_ACCESS_DENIED" in done.stdout + done.stderr


def files_in(place: Place, share: str) -> set[str]:
    root = place.nas.lab.seen(Path(parameters(place, share)["path"]))
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.parametrize(("case", "storage"), EVERY_CASE)
def test_a_copy_reads_as_its_base_share(place: Place, case: Case, storage: str) -> None:
    share, samba = share_with(place, case, storage), place.nas.samba
    there = smbcacls(place, share)
    [copy] = fss.create_expose(samba, share)
    samba.write(share, "report.txt", "new\n")
    found = parameters(place, copy.share)
    assert found.get("vfs objects", "").split() == case.kept.split()
    assert not [name for name in found if name.startswith(("recycle:", "shadow:"))]
    assert found.get("fruit:time machine", "No") == "No"
    assert smbcacls(place, copy.share) == there
    assert samba.read(copy.share, "report.txt", user=place.reader) == "old\n"
    assert is_refused(place, copy.share, place.stranger)
    assert is_refused(place, share, place.stranger)
    if "streams_xattr" in case.objects:
        assert samba.read(copy.share, STREAM, user=place.reader) == "a note\n"
    fss.delete(samba, copy)
    place.nas.assert_nothing_is_left()


@pytest.mark.parametrize(("case", "storage"), EVERY_CASE)
def test_nothing_writes_into_a_copy_by_itself(place: Place, case: Case, storage: str) -> None:
    """A file deleted in a writable copy is not recycled, and the audit log is outside the copy."""
    share, samba = share_with(place, case, storage), place.nas.samba
    [copy] = fss.create_expose(samba, share, mode="rw")
    before = files_in(place, copy.share)
    samba.smbclient(copy.share, "ls; get report.txt /dev/null; allinfo report.txt")
    assert files_in(place, copy.share) == before
    samba.smbclient(copy.share, "del report.txt")
    assert files_in(place, copy.share) == before - {"report.txt"}
    fss.recovery_complete(samba, copy)
    fss.delete(samba, copy)
    place.nas.assert_nothing_is_left()


@pytest.mark.parametrize(("case", "storage"), EVERY_CASE)
def test_a_copy_is_no_source_of_snapshots(place: Place, case: Case, storage: str) -> None:
    share, samba = share_with(place, case, storage), place.nas.samba
    [copy] = fss.create_expose(samba, share)
    assert fss.refusal(samba, f'fss_is_path_sup "{copy.share}"')
    listed = samba.smbclient(copy.share, "allinfo report.txt", check=False).stdout
    assert "@GMT-" not in listed
    fss.delete(samba, copy)
    place.nas.assert_nothing_is_left()


def test_streams_that_a_copy_would_lack_are_no_copy_unless_they_do_not_matter(
    place: Place,
) -> None:
    """streams_depot keeps them by device and inode. A copy without the module touches none."""
    name, samba = share_with(place, Case("streams_depot acl_xattr", ""), "btrfs"), place.nas.samba
    depot = place.nas.volumes["data"] / "depot"
    place.nas.lab.run(["mkdir", "-m", "0777", depot])
    options = {"vfs objects": "streams_depot acl_xattr", "streams_depot:directory": str(depot)}
    share = Share(name, place.nas.volumes["data"] / name, options)
    samba.set_share(share)
    samba.reload()
    samba.write(name, STREAM, "a note\n")
    assert samba.read(name, STREAM) == "a note\n"
    assert fss.refusal(samba, f"fss_is_path_sup {name}")
    said = " ".join(place.nas.daemon.ctl("check-path", name, check=False).stdout.split())
    assert (
        "use streams_xattr, or, if streams do not matter, set fsrvp:without streams = yes" in said
    )
    samba.set_share(share._replace(options={**options, "fsrvp:without streams": "yes"}))
    samba.reload()
    calls = len(place.nas.daemon.calls())
    [copy] = fss.create_expose(samba, name, mode="rw")
    assert len(place.nas.daemon.calls()) > calls
    assert parameters(place, copy.share)["vfs objects"] == "acl_xattr"
    assert samba.read(copy.share, "report.txt") == "old\n"
    samba.smbclient(copy.share, "del report.txt")
    assert samba.read(name, STREAM) == "a note\n"
    fss.recovery_complete(samba, copy)
    fss.delete(samba, copy)
    place.nas.assert_nothing_is_left()


@pytest.mark.parametrize("objects", ["acl_tdb", "acl_xattr xattr_tdb"])
def test_permissions_that_a_copy_would_lack_are_no_copy(place: Place, objects: str) -> None:
    """These modules store ACLs by device and inode: a copy would admit users they deny."""
    share, samba = share_with(place, Case(objects, ""), "xfs"), place.nas.samba
    assert is_refused(place, share, place.stranger)
    assert fss.refusal(samba, f"fss_is_path_sup {share}")
    said = place.nas.daemon.ctl("check-path", share, check=False).stdout
    assert "a copy would have none; use acl_xattr" in " ".join(said.split())
