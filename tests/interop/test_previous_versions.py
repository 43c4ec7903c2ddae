"""Snapshots as previous versions of the base share, through Samba's shadow_copy2."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import datetime

import pytest
from smb.SMBConnection import SMBConnection

from fsrvpd.core.messages import Opnum
from tests.interop.raw_agent import RawAgent
from tests.interop.site import TORTURE_SHARE, Site
from tests.lab import Share, User, fss

FILETIME_PER_SECOND = 10_000_000
TOKEN = re.compile(r"^@GMT-[-.0-9]+$", re.MULTILINE)


def tokens(site: Site, user: User) -> list[str]:
    return tokens_of(site, TORTURE_SHARE, user)


def tokens_of(site: Site, share: str, user: User) -> list[str]:
    """The previous versions of versions.txt as FSCTL_SRV_ENUM_SNAPS lists them, oldest first."""
    listed = site.samba.smbclient(share, "allinfo versions.txt", user=user).stdout
    return sorted(TOKEN.findall(listed))


def test_snapshots_of_the_same_second_are_all_previous_versions(site: Site) -> None:
    """Five sets take far less than four seconds, so that two must share a second."""
    file = site.lab.seen(site.volumes["projects"]) / "versions.txt"
    made = []
    with RawAgent(site) as agent:
        for number in range(5):
            file.write_text(f"version {number}\n")
            set_id = agent.start()
            copy_id = agent.add(set_id, TORTURE_SHARE)
            agent.expose(set_id)
            made.append(agent.mapping(set_id, copy_id, TORTURE_SHARE))
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
        file.write_text("the present\n")
        seconds = Counter(mapping.created // FILETIME_PER_SECOND for mapping in made)
        assert max(seconds.values()) > 1, seconds

        reader = site.samba.add_user("historian")
        versions = tokens(site, reader)
        assert len(versions) == 5
        for number, token in enumerate(versions):
            past = site.samba.read(TORTURE_SHARE, rf"{token}\versions.txt", user=reader)
            assert past == f"version {number}\n"
        for mapping in made:
            agent.delete(mapping.set_id, mapping.copy_id, TORTURE_SHARE)
    assert tokens(site, site.samba.root) == []
    site.assert_nothing_is_left()


def test_rpcclient_twice_in_a_row(site: Site) -> None:
    """The same with a client that is not ours."""
    site.samba.write(TORTURE_SHARE, "versions.txt", "now\n")
    copies = []
    for _ in range(2):
        copies += fss.create_expose(site.samba, TORTURE_SHARE)
        fss.recovery_complete(site.samba, copies[-1])
    assert len(tokens(site, site.samba.root)) == 2
    for copy in copies:
        assert site.samba.read(copy.share, "versions.txt") == "now\n"
        fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def test_another_client_sees_and_reads_them(site: Site) -> None:
    """pysmb, which shares no code with Samba: the list, and the shadow copy share."""
    site.samba.write(TORTURE_SHARE, "versions.txt", "for pysmb\n")
    [copy] = fss.create_expose(site.samba, TORTURE_SHARE)
    [token] = tokens(site, site.samba.root)

    def look() -> tuple[list[datetime], bytes]:
        client = SMBConnection(*site.samba.root, "client", "LAB", is_direct_tcp=True)
        assert client.connect(site.samba.address, 445)
        content = io.BytesIO()
        client.retrieveFile(copy.share, "versions.txt", content)
        listed = client.listSnapshots(TORTURE_SHARE, "versions.txt")
        client.close()
        return listed, content.getvalue()

    with site.lab.network() as thread:
        listed, content = thread.submit(look).result(60)
    assert listed == [datetime.strptime(token, "@GMT-%Y.%m.%d-%H.%M.%S")]
    assert content == b"for pysmb\n"
    fss.delete(site.samba, copy)
    site.assert_nothing_is_left()


def printed_lines(site: Site, share: str) -> dict[str, str]:
    """What `fsrvpctl share-config` would have an admin paste into the share's section."""
    head, *lines = site.daemon.command("share-config", share).stdout.splitlines()
    assert head == f"[{share}]"
    pairs = (line.partition(" = ") for line in lines)
    return {name.strip(): value for name, _, value in pairs}


@pytest.mark.parametrize(
    ("share", "volume", "path"),
    [
        ("deep", "more", "a/b/deep inside"),
        ("Größe-名前", "data", "Größe-名前"),
        ("vault", "vault", "vault"),
        ("whole", "vault", ""),
    ],
)
def test_the_lines_that_fsrvpctl_prints(site: Site, share: str, volume: str, path: str) -> None:
    """On btrfs and on XFS, also where the share is the root of its volume."""
    directory = site.volumes[volume] / path
    site.samba.set_share(Share(share, directory, {"vfs objects": "acl_xattr"}))
    site.samba.reload()
    lines = printed_lines(site, share)
    assert lines["vfs objects"] == "shadow_copy2 acl_xattr"
    site.samba.set_share(Share(share, directory, lines))
    site.samba.reload()
    reader = site.samba.add_user(f"reader{len(share)}{volume}")
    file = site.lab.seen(directory) / "versions.txt"
    copies = []
    for number in range(2):
        file.write_text(f"version {number}\n")
        copies += fss.create_expose(site.samba, share)
        fss.recovery_complete(site.samba, copies[-1])
    file.write_text("the present\n")
    versions = tokens_of(site, share, reader)
    assert len(versions) == 2
    for number, token in enumerate(versions):
        past = rf"{token}\versions.txt"
        assert site.samba.read(share, past, user=reader) == f"version {number}\n"
        site.samba.write(share, "not-there-yet.txt", "new")
        listed = site.samba.smbclient(share, rf"ls {token}\*", user=reader).stdout
        assert "versions.txt" in listed
        assert "not-there-yet.txt" not in listed
    for copy in copies:
        fss.delete(site.samba, copy)
    assert tokens_of(site, share, reader) == []
    site.assert_nothing_is_left()
