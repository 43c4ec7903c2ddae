"""How an account gets to read all files of a copy: by `fsrvp:backup users`, and by nothing else."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Iterator, NamedTuple

import pytest

from lab import Share, User, fss
from lab.namespaces import wait_until
from tests.interop.nas import Nas, make_directory, open_nas

SHARE = "books"
FILES = {"open.txt": "0644", "secret.txt": "0600", "private/inner.txt": "0600"}
MAKE = """
cd "$1"
mkdir -m 0700 private
for name in open.txt secret.txt private/inner.txt; do echo "$name" > "$name"; done
chmod 0600 secret.txt private/inner.txt
"""


class Books(NamedTuple):
    """A share whose files only root may read, and its copy."""

    nas: Nas
    backup: User  # is one of the backup users
    holder: User  # holds SeBackupPrivilege
    other: User  # is nobody special
    copy: fss.ShadowCopy

    def archived(self, share: str, user: User) -> set[str]:
        """Back up with smbclient. Returns the files in the archive."""
        archive = self.nas.lab.directory / "archive.tar"
        self.nas.samba.smbclient(share, f'tar c "{archive}"', user=user, check=False)
        listed = self.nas.lab.run(["tar", "-tf", archive]).stdout
        self.nas.lab.run(["rm", archive])
        return {name.lstrip("./") for name in listed.splitlines() if not name.endswith("/")}

    def tries(self, share: str, command: str, user: User) -> str:
        done: subprocess.CompletedProcess[str]
        done = self.nas.samba.smbclient(share, command, user=user, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    with open_nas() as nas:
        backup, holder, other = map(nas.samba.add_user, ("backupper", "holder", "other"))
        directory = make_directory(nas.lab, nas.volumes["data"] / SHARE)
        nas.lab.run(["sh", "-ec", MAKE, "sh", directory])
        nas.samba.set_share(Share(SHARE, directory, {"fsrvp:backup users": backup.name}))
        nas.samba.reload()
        nas.samba.net("sam", "rights", "grant", f"LAB\\{holder.name}", "SeBackupPrivilege")
        [copy] = fss.create_expose(nas.samba, SHARE)
        fss.recovery_complete(nas.samba, copy)
        wait_until("our agent has answered", lambda: len(nas.daemon.calls()) >= 8)
        yield Books(nas, backup, holder, other, copy)
        fss.delete(nas.samba, copy)


def test_a_backup_user_reads_everything_in_the_copy_alone(books: Books) -> None:
    assert books.archived(books.copy.share, books.backup) == {*FILES}
    assert books.archived(SHARE, books.backup) == {"open.txt"}
    assert books.archived(books.copy.share, books.other) == {"open.txt"}


def test_the_privilege_and_backup_intent_read_nothing_more(books: Books) -> None:
    """smbd asks for neither when a file is opened: decision 37."""
    for share in (SHARE, books.copy.share):
        assert "NT_STATUS_ACCESS_DENIED" in books.tries(
            share, "backup; get secret.txt /dev/null", books.holder
        )
    assert books.archived(books.copy.share, books.holder) == {"open.txt"}


def test_a_backup_user_changes_nothing(books: Books) -> None:
    for command in (
        "put /etc/hostname new.txt",
        "put /etc/hostname open.txt",
        "del open.txt",
        "rename open.txt other.txt",
        "mkdir new",
        "setmode open.txt +h",
    ):
        assert "NT_STATUS_" in books.tries(books.copy.share, command, books.backup), command


def examined(books: Books, user: User, *, password: str = "") -> dict[str, list[Any]]:
    """What `doctor -U` finds, by topic."""
    login = f"{user.name}%{password or user.password}"
    done = books.nas.daemon.command("doctor", "--json", "--share", SHARE, "-U", login, check=False)
    found: dict[str, list[Any]] = {}
    for each in json.loads(done.stdout):
        found.setdefault(each["topic"], []).append(each)
    failed = any(each["severity"] == "fail" for one in found.values() for each in one)
    assert done.returncode == failed, done.stdout
    return found


def test_doctor_says_who_reads_everything(books: Books) -> None:
    found = examined(books, books.backup)
    assert found["self-test"][2]["text"].endswith(", also what only root may read in the share")
    found = examined(books, books.holder)
    assert found["user"][0]["text"] == "holder may request shadow copies"
    assert found["self-test"][2]["severity"] == "warn"
    assert found["self-test"][2]["next_step"] == f"fsrvpctl share-config {SHARE}"


def test_doctor_says_who_may_not_request_copies(books: Books) -> None:
    [user] = examined(books, books.other)["user"]
    assert user["severity"] == "fail"
    assert user["text"].startswith("other may not request shadow copies")
    assert user["next_step"] == "net sam rights grant 'LAB\\other' SeBackupPrivilege"


def test_doctor_says_that_a_password_is_wrong(books: Books) -> None:
    """The next step names a share that there is."""
    found = examined(books, books.holder, password="wrong")
    [user] = found["user"]
    assert user["severity"] == "fail"
    assert "wrong name or password (NT_STATUS_LOGON_FAILURE)" in user["text"]
    assert user["next_step"] == f"smbclient //127.0.0.1/{SHARE} -U holder"
    assert all("@{" not in each["text"] for each in found["self-test"])


def test_doctor_names_an_account_that_is_gone(books: Books) -> None:
    samba = books.nas.samba
    gone = samba.add_user("gone")
    samba.net("sam", "rights", "grant", f"LAB\\{gone.name}", "SeBackupPrivilege")
    sid = samba.sid(gone)
    samba.run(["smbpasswd", "-c", samba.conf, "-x", gone.name])
    listed, orphan = examined(books, books.backup)["callers"]
    assert (listed["severity"], orphan["severity"]) == ("ok", "warn")
    assert sid in orphan["text"]
    assert sid not in listed["text"]
    command = orphan["next_step"].replace("root", samba.root.login).split()
    samba.net(*command[1:], "-I", samba.address)
    [listed] = examined(books, books.backup)["callers"]


def test_share_config_prints_who_reads_everything(books: Books) -> None:
    samba, command = books.nas.samba, books.nas.daemon.command
    assert "    fsrvp:backup users = backupper" in command("share-config", SHARE).stdout
    assert "    fsrvp:backup users = NAME" in command("share-config", "deep").stderr
    samba.net("conf", "addshare", "kept", str(books.nas.volumes["more"]))
    hint = command("share-config", "kept").stderr
    assert f"net -s {samba.conf} conf setparm kept 'fsrvp:backup users' NAME" in hint
    samba.net("conf", "setparm", "kept", "fsrvp:backup users", "nobody-here other")
    done = command("share-config", "kept")
    assert "conf setparm kept 'fsrvp:backup users' 'nobody-here other'" in done.stdout
    assert "share kept: fsrvp:backup users: the system does not know nobody-here now" in done.stderr
    samba.net("conf", "delshare", "kept")
