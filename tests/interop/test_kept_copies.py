"""Kept copies: their list, what the options of a share make of them, and their end."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.ctl import client
from lab import Share, fss
from lab.namespaces import wait_until
from tests.interop.nas import TORTURE_SHARE, Nas, previous_versions
from tests.interop.raw_agent import RawAgent
from tests.interop.test_previous_versions import tokens

SetOptions = Callable[..., None]


@pytest.fixture
def keeping(nas: Nas) -> Iterator[SetOptions]:
    """Gives the share options of `fsrvp:`. Afterwards all its copies are deleted."""
    root = nas.volumes["projects"]
    base = previous_versions(nas.lab, root, TORTURE_SHARE)

    def give(**options: str) -> None:
        given = {f"fsrvp:{name.replace('_', ' ')}": value for name, value in options.items()}
        nas.samba.set_share(Share(TORTURE_SHARE, root, {**base, **given}))
        nas.samba.reload()
        ask(nas, "reload-config")

    give(keep="yes")
    yield give
    give(keep="yes")
    copies = [each["copy"] for each in kept(nas)]
    if copies:
        ask(nas, "delete-kept", *copies)
    give()
    nas.assert_nothing_is_left()


def ask(nas: Nas, message: str, *parameters: str) -> Any:
    """As the command does, without the time that it takes to start."""
    socket = nas.lab.seen(nas.samba.place("state directory") / "fsrvpd/control.socket")

    def confirm(event: Any) -> Any:
        return {"confirmed": True} if "result" in event else None

    return client.ask(str(socket), message, parameters, confirm)


def kept(nas: Nas) -> Any:
    return ask(nas, "list-kept")


def make(nas: Nas, number: int) -> list[str]:
    """Make kept copies, oldest first."""
    made = []
    for each in range(number):
        nas.samba.write(TORTURE_SHARE, "versions.txt", f"version {each}\n")
        answer = ask(nas, "create-set", "--keep", TORTURE_SHARE)
        made.append(answer["shares"][0]["copy"])
        ask(nas, "delete-set", answer["set"])
    return made


def test_backups_of_a_client_are_kept_and_the_oldest_deleted(nas: Nas, keeping: SetOptions) -> None:
    seen = len(nas.daemon.calls())
    for number in range(3):
        nas.samba.write(TORTURE_SHARE, "versions.txt", f"version {number}\n")
        [copy] = fss.create_expose(nas.samba, TORTURE_SHARE)
        fss.recovery_complete(nas.samba, copy)
        fss.delete(nas.samba, copy)
    assert "DeleteShareMapping" in [call.method for call in nas.daemon.calls()[seen:]]
    newest, middle, oldest = kept(nas)
    assert [newest["wanted_by"], middle["surplus"], oldest["surplus"]] == [["newest"], False, False]
    assert ask(nas, "delete-kept") == []

    keeping(keep="yes", keep_last="2")  # which also lets retention run
    wait_until("the oldest is deleted", lambda: len(kept(nas)) == 2)
    assert [each["copy"] for each in kept(nas)] == [newest["copy"], middle["copy"]]
    assert f"event=kept-removed copy={oldest['copy']}" in nas.daemon.read_log()
    versions = tokens(nas, nas.samba.root)
    content = [nas.samba.read(TORTURE_SHARE, rf"{token}\versions.txt") for token in versions]
    assert content == ["version 1\n", "version 2\n"]


def test_a_dry_run_says_what_would_be_deleted(nas: Nas, keeping: SetOptions) -> None:
    oldest, _, newest = make(nas, 3)
    keeping(keep="yes", keep_last="3")
    assert ask(nas, "delete-kept", "--dry-run") == []
    [shown] = ask(nas, "delete-kept", "--dry-run", oldest)
    assert (shown["copy"], shown["deleted"], shown["dry_run"]) == (oldest, False, True)
    assert len(kept(nas)) == 3
    [gone] = ask(nas, "delete-kept", oldest)
    assert gone["deleted"]
    unknown = nas.daemon.ctl("delete-kept", oldest, check=False)
    assert unknown.returncode == 1
    assert "list-kept" in unknown.stderr
    text = nas.daemon.ctl("list-kept").stdout
    assert newest in text
    assert "newest, last" in text
    assert "unknown" in text, "no quota counts what it holds"


def test_quotas_know_what_a_copy_holds(nas: Nas, keeping: SetOptions) -> None:
    volume = nas.volumes["data"]
    nas.lab.run(["btrfs", "quota", "enable", volume])
    nas.lab.run(["btrfs", "quota", "rescan", "-w", volume])
    try:
        nas.lab.run(
            ["dd", "if=/dev/urandom", f"of={nas.volumes['projects']}/big", "bs=1M", "count=4"]
        )
        make(nas, 1)
        nas.lab.run(["rm", f"{nas.volumes['projects']}/big"])
        nas.lab.run(["sync", "-f", volume])
        [copy] = kept(nas)
        assert 4 << 20 <= copy["bytes"] < 5 << 20
    finally:
        nas.lab.run(["btrfs", "quota", "disable", volume])


def test_what_is_exposed_or_not_complete_is_not_deleted(nas: Nas, keeping: SetOptions) -> None:
    [good] = make(nas, 1)
    keeping(keep="yes", keep_last="1")
    unfinished = ask(nas, "create-set", "--writable", TORTURE_SHARE)
    assert ask(nas, "delete-kept") == [], "a backup that may yet fail replaces nothing"
    ask(nas, "delete-set", unfinished["set"])
    assert [each["copy"] for each in kept(nas)] == [good]

    exposed = ask(nas, "create-set", TORTURE_SHARE)
    [gone] = ask(nas, "delete-kept")
    assert gone["copy"] == good
    [left] = kept(nas)
    assert (left["status"], left["set"]) == ("exposed", exposed["set"])
    refused = nas.daemon.ctl("delete-kept", exposed["set"], check=False)
    assert f"its set {exposed['set']} exists" in refused.stderr
    ask(nas, "delete-set", exposed["set"])


def test_what_a_client_reads_is_not_deleted(nas: Nas, keeping: SetOptions) -> None:
    """smbclient opens the file of a previous version, and then waits for somebody to read."""
    [copy] = make(nas, 1)
    [token] = tokens(nas, nas.samba.root)
    pipe, unc = nas.lab.directory / "pipe", f"//{nas.samba.address}/{TORTURE_SHARE}"
    nas.lab.run(["mkfifo", pipe])
    get = rf'get "{token}\versions.txt" "{pipe}"'
    login = ["-s", nas.samba.conf, "-U", nas.samba.root.login]
    client = nas.lab.popen(["smbclient", *login, unc, "-c", get], output=nas.lab.directory / "out")
    locks = ["smbstatus", "-s", nas.samba.conf, "-L"]
    wait_until("it is open", lambda: "versions.txt" in nas.samba.run(locks).stdout)
    [left] = ask(nas, "delete-kept", copy)
    assert not left["deleted"]
    assert "has a file in it open" in left["reason"]
    assert nas.lab.run(["cat", pipe]).stdout == "version 0\n"
    assert client.wait() == 0
    assert nas.samba.read(TORTURE_SHARE, rf"{token}\versions.txt") == "version 0\n"
    [gone] = ask(nas, "delete-kept", copy)
    assert gone["deleted"]


def test_nothing_is_deleted_while_applications_are_frozen(nas: Nas, keeping: SetOptions) -> None:
    [copy] = make(nas, 1)
    with RawAgent(nas) as agent:
        set_id = agent.start()
        agent.add(set_id, TORTURE_SHARE)
        agent.advance(Opnum.PrepareShadowCopySet, set_id)
        [left] = ask(nas, "delete-kept", copy)
        assert left["reason"] == "a backup of its volume is being made"
        agent.advance(Opnum.AbortShadowCopySet, set_id)
    [gone] = ask(nas, "delete-kept", copy)
    assert gone["deleted"]


def test_a_set_can_be_kept_and_released(nas: Nas, keeping: SetOptions) -> None:
    """Whatever its mark on disk says: it was made without `fsrvp:keep`."""
    keeping(keep_last="1")
    made = ask(nas, "create-set", TORTURE_SHARE)
    copy = made["shares"][0]["copy"]
    assert ask(nas, "keep-set", made["set"])["copies"] == [copy]
    assert ask(nas, "delete-set", made["set"])["kept"] != []
    make(nas, 1)
    nas.daemon.restart()
    ask(nas, "prune")
    assert ask(nas, "delete-kept") == []
    assert {each["copy"]: each["status"] for each in kept(nas)}[copy] == "held"
    refused = nas.daemon.ctl("delete-kept", copy, check=False)
    assert f"fsrvpctl fsrvpd release-set '{copy}'" in refused.stderr
    ask(nas, "release-set", made["set"])
    [gone] = ask(nas, "delete-kept")
    assert gone["copy"] == copy


def test_a_full_volume_deletes_only_what_it_was_told_to(nas: Nas, keeping: SetOptions) -> None:
    nas.daemon.restart()  # it waits for the space of no earlier copies
    oldest, middle, newest = make(nas, 3)
    assert ask(nas, "delete-kept") == []
    keeping(keep="yes", keep_free_space="1000000")
    wait_until("the oldest is deleted", lambda: len(kept(nas)) == 2)
    log = nas.daemon.read_log()
    [removed] = [line for line in log.splitlines() if f"event=kept-removed copy={oldest}" in line]
    assert "fsrvp:keep free space = 1000000" in removed
    assert ask(nas, "delete-kept") == [], "btrfs frees the space in the background"
    nas.daemon.restart()
    [gone] = ask(nas, "delete-kept")
    assert gone["copy"] == middle
    nas.daemon.restart()
    assert ask(nas, "delete-kept") == []
    assert [each["copy"] for each in kept(nas)] == [newest]


def test_an_option_that_cannot_be_read_deletes_nothing(nas: Nas, keeping: SetOptions) -> None:
    make(nas, 2)
    root = nas.volumes["projects"]
    options = {"fsrvp:keep": "yes", "fsrvp:keep last": "1", "fsrvp:keep daily": "a week"}
    nas.samba.set_share(Share(TORTURE_SHARE, root, options))
    nas.samba.reload()
    assert ask(nas, "delete-kept") == []
    assert [each["status"] for each in kept(nas)] == ["left", "left"]
    assert f"check-path '{TORTURE_SHARE}'" in kept(nas)[0]["reason"]
    reasons = nas.daemon.ctl("check-path", TORTURE_SHARE, check=False).stdout
    assert "fsrvp:keep daily = a week: want a whole number" in " ".join(reasons.split())


def test_a_clone_of_another_storage_ends_likewise(nas: Nas, keeping: SetOptions) -> None:
    """XFS: nobody counts what a clone alone holds."""
    made = ask(nas, "create-set", "--keep", "vault")
    ask(nas, "delete-set", made["set"])
    [copy] = kept(nas)
    assert (copy["provider"], copy["bytes"], copy["status"]) == ("reflink", None, "kept")
    assert nas.lab.run(["ls", copy["path"]]).returncode == 0
    nas.lose_mounts()
    nas.daemon.restart()  # as a reboot: it is mounted again
    wait_until("it is mounted", lambda: copy["path"] in nas.mounts())
    [gone] = ask(nas, "delete-kept", made["set"])
    assert gone["deleted"]
