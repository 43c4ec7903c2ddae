"""Snapshots as previous versions of the base share, through Samba's shadow_copy2."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import datetime

import pytest
from smb.SMBConnection import SMBConnection

from fsrvpd.core.messages import Opnum
from lab import Share, User, fss
from tests.interop.nas import TORTURE_SHARE, Nas
from tests.interop.raw_agent import Mapped, RawAgent

FILETIME_PER_SECOND = 10_000_000
TOKEN = re.compile(r"^@GMT-[-.0-9]+$", re.MULTILINE)


def tokens(nas: Nas, user: User) -> list[str]:
    return tokens_of(nas, TORTURE_SHARE, user)


def tokens_of(nas: Nas, share: str, user: User) -> list[str]:
    """The previous versions of versions.txt as FSCTL_SRV_ENUM_SNAPS lists them, oldest first."""
    listed = nas.samba.smbclient(share, "allinfo versions.txt", user=user).stdout
    return sorted(TOKEN.findall(listed))


def test_snapshots_of_the_same_second_are_all_previous_versions(nas: Nas) -> None:
    """Makes sets until two share a second; five are enough unless the machine is busy."""
    file = nas.lab.seen(nas.volumes["projects"]) / "versions.txt"
    made: list[Mapped] = []
    seconds: Counter[int] = Counter()
    with RawAgent(nas) as agent:
        while len(made) < 5 or max(seconds.values()) == 1:
            file.write_text(f"version {len(made)}\n")
            set_id = agent.start()
            copy_id = agent.add(set_id, TORTURE_SHARE)
            agent.expose(set_id)
            made.append(agent.mapping(set_id, copy_id, TORTURE_SHARE))
            seconds[made[-1].created // FILETIME_PER_SECOND] += 1
            agent.advance(Opnum.RecoveryCompleteShadowCopySet, set_id)
            assert len(made) < 50, seconds
        file.write_text("the present\n")

        reader = nas.samba.add_user("historian")
        versions = tokens(nas, reader)
        assert len(versions) == len(made)
        for number, token in enumerate(versions):
            past = nas.samba.read(TORTURE_SHARE, rf"{token}\versions.txt", user=reader)
            assert past == f"version {number}\n"
        for mapping in made:
            agent.delete(mapping.set_id, mapping.copy_id, TORTURE_SHARE)
    assert tokens(nas, nas.samba.root) == []
    nas.assert_nothing_is_left()


def test_rpcclient_twice_in_a_row(nas: Nas) -> None:
    """The same with a client that is not ours."""
    nas.samba.write(TORTURE_SHARE, "versions.txt", "now\n")
    copies = []
    for _ in range(2):
        copies += fss.create_expose(nas.samba, TORTURE_SHARE)
        fss.recovery_complete(nas.samba, copies[-1])
    assert len(tokens(nas, nas.samba.root)) == 2
    for copy in copies:
        assert nas.samba.read(copy.share, "versions.txt") == "now\n"
        fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def test_another_client_sees_and_reads_them(nas: Nas) -> None:
    """pysmb, which shares no code with Samba: the list, and the shadow copy share."""
    nas.samba.write(TORTURE_SHARE, "versions.txt", "for pysmb\n")
    [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
    [token] = tokens(nas, nas.samba.root)

    def look() -> tuple[list[datetime], bytes]:
        client = SMBConnection(*nas.samba.root, "client", "LAB", is_direct_tcp=True)
        assert client.connect(nas.samba.address, 445)
        content = io.BytesIO()
        client.retrieveFile(copy.share, "versions.txt", content)
        listed = client.listSnapshots(TORTURE_SHARE, "versions.txt")
        client.close()
        return listed, content.getvalue()

    with nas.lab.network() as thread:
        listed, content = thread.submit(look).result(60)
    assert listed == [datetime.strptime(token, "@GMT-%Y.%m.%d-%H.%M.%S")]
    assert content == b"for pysmb\n"
    fss.delete(nas.samba, copy)
    nas.assert_nothing_is_left()


def printed_lines(nas: Nas, share: str) -> dict[str, str]:
    """What `fsrvpctl share-config` would have an admin paste into the share's section."""
    head, *lines = nas.daemon.command("share-config", share).stdout.splitlines()
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
def test_the_lines_that_fsrvpctl_prints(nas: Nas, share: str, volume: str, path: str) -> None:
    """On btrfs and on XFS, also where the share is the root of its volume."""
    directory = nas.volumes[volume] / path
    nas.samba.set_share(Share(share, directory, {"vfs objects": "acl_xattr"}))
    nas.samba.reload()
    lines = printed_lines(nas, share)
    assert lines["vfs objects"] == "shadow_copy2 acl_xattr"
    nas.samba.set_share(Share(share, directory, lines))
    nas.samba.reload()
    reader = nas.samba.add_user(f"reader{len(share)}{volume}")
    file = nas.lab.seen(directory) / "versions.txt"
    copies = []
    for number in range(2):
        file.write_text(f"version {number}\n")
        copies += fss.create_expose(nas.samba, share)
        fss.recovery_complete(nas.samba, copies[-1])
    file.write_text("the present\n")
    versions = tokens_of(nas, share, reader)
    assert len(versions) == 2
    for number, token in enumerate(versions):
        past = rf"{token}\versions.txt"
        assert nas.samba.read(share, past, user=reader) == f"version {number}\n"
        nas.samba.write(share, "not-there-yet.txt", "new")
        listed = nas.samba.smbclient(share, rf"ls {token}\*", user=reader).stdout
        assert "versions.txt" in listed
        assert "not-there-yet.txt" not in listed
    for copy in copies:
        fss.delete(nas.samba, copy)
    assert tokens_of(nas, share, reader) == []
    nas.assert_nothing_is_left()
