"""The test copy: read on disk and over SMB, and deleted whatever happens."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Optional

import pytest

from fsrvpd.ctl.doctor import trial_copy
from fsrvpd.ctl.doctor.result import Finding, Severity
from fsrvpd.ctl.doctor.smb_user import SmbLogin
from fsrvpd.ctl.doctor.trial_copy import try_shadow_copy
from fsrvpd.errors import FsrvpdError
from tests.unit.ctl.doctor.examples import environment

OK, NOTE, WARN, FAIL = Severity
USER = SmbLogin(["-U", "backup"], "secret", "backup")


class Daemon:
    """Copies a share by linking its files, and answers an smbclient."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.share, self.snapshot = directory / "share", directory / "snapshot"
        self.share.mkdir()
        self.asked: list[str] = []
        self.failing = ""
        self.damaged = False
        self.why: Optional[Finding] = None  # why the user cannot log in
        self.reads_all = True
        monkeypatch.setattr(trial_copy, "SmbUser", lambda environment, smb_login: self)

    is_person = True
    name = "backup"

    def obstacle(self, share: str) -> Optional[Finding]:
        return self.why

    def right(self, share: str) -> Finding:
        return Finding(OK, "user", "backup may request shadow copies")

    def place(self, share: str) -> str:
        return f"//nas/{share}"

    def next_step(self, share: str) -> str:
        return f"smbclient //nas/{share} -U backup"

    def smbclient(self, share: str, command: str) -> str:
        assert share == "data@{C}"
        files = [
            name for name in command.split('"')[1::2] if "private" not in name or self.reads_all
        ]
        return " ".join((self.snapshot / name).read_text() for name in files)

    def ask(self, message: str, *parameters: str) -> Any:
        self.asked.append(message)
        if message == self.failing:
            raise FsrvpdError(f"{message} failed")
        if message == "check-path":
            supported = parameters[0] == "data"
            return {"supported": supported, "share": parameters[0], "directory": str(self.share)}
        if message == "delete-set":
            for file in self.snapshot.iterdir():
                file.unlink()
            self.snapshot.rmdir()
            return {}
        self.snapshot.mkdir()
        for file in self.share.iterdir():
            (self.snapshot / file.name).write_bytes(b"x" if self.damaged else file.read_bytes())
        names = {"set": "{S}", "provider": "btrfs", "shadow_copy_share": "data@{C}"}
        return {**names, "snapshot": str(self.snapshot)}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    return Daemon(tmp_path, monkeypatch)


def examined(
    daemon: Daemon, share: Optional[str] = None, smb_login: Optional[SmbLogin] = USER
) -> list[Finding]:
    state = str(daemon.share.parent)
    about = environment(daemon.ask, shares=["plain", "data"], state_directory=state)
    findings = list(try_shadow_copy(about, share, smb_login))
    assert os.listdir(daemon.share) == [], "the probe is left"
    return findings


def severities(findings: list[Finding]) -> list[Severity]:
    """After that of the line on free space."""
    assert findings[0].topic == "free space"
    return [finding.severity for finding in findings[1:]]


def test_a_copy_is_read_twice_and_deleted(daemon: Daemon) -> None:
    findings = examined(daemon)
    assert severities(findings) == [OK] * 5
    assert findings[-2].text.endswith("also what only root may read in the share")
    assert findings[-1].text == "deleted, share and snapshot"
    assert daemon.asked == ["check-path", "check-path", "self-test", "delete-set"]


def test_without_a_user_it_is_not_read_over_smb(daemon: Daemon) -> None:
    findings = examined(daemon, smb_login=None)
    assert severities(findings) == [WARN, OK, OK, OK]
    assert findings[1].next_step == "fsrvpctl doctor -U NAME"


def test_a_user_who_cannot_log_in_does_not_read_the_copy(daemon: Daemon) -> None:
    daemon.why = Finding(FAIL, "user", "wrong name or password")
    findings = examined(daemon)
    assert severities(findings) == [FAIL, OK, OK, OK]
    assert findings[1] is daemon.why


def test_a_user_who_does_not_read_everything(daemon: Daemon) -> None:
    daemon.reads_all = False
    finding = examined(daemon)[-2]
    assert (finding.severity, finding.next_step) == (WARN, "fsrvpctl share-config data")
    assert "`fsrvp:backup users`" in finding.text


def test_nothing_is_written_where_there_is_no_space(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_copy, "LEAST_SPACE", 1 << 60)
    findings = examined(daemon, smb_login=None)
    assert [finding.severity for finding in findings] == [FAIL, NOTE]
    assert findings[0].next_step.startswith("df -h ")
    assert "self-test" not in daemon.asked


def test_a_share_that_takes_no_file_is_as_it_was(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fsync", fail)
    finding = examined(daemon)[-1]
    assert finding.severity is FAIL
    assert "Disk quota exceeded; none is left there" in finding.text


def test_a_test_file_that_stays_is_named(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *, dir_fd: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    about = environment(daemon.ask, shares=["data"], state_directory=str(daemon.share.parent))
    with monkeypatch.context() as patched:
        patched.setattr(trial_copy.os, "unlink", refuse)
        daemon.failing = "self-test"
        finding = list(try_shadow_copy(about, None, None))[-1]
    left = sorted(map(str, daemon.share.iterdir()))
    assert finding.severity is FAIL
    assert finding.next_step.split()[0] == "rm"
    assert sorted(finding.next_step.split()[1:]) == left
    assert all(f"{path}" in finding.text for path in left)


@pytest.mark.parametrize("replaced_by", ["a FIFO", "a link"])
def test_what_a_user_put_in_the_place_of_a_test_file(daemon: Daemon, replaced_by: str) -> None:
    def replace(message: str, *parameters: str) -> Any:
        answer = daemon.ask(message, *parameters)
        for file in daemon.snapshot.iterdir() if message == "self-test" else ():
            aside = file.rename(daemon.share.parent / file.name)
            os.mkfifo(file) if replaced_by == "a FIFO" else file.symlink_to(aside)
        return answer

    about = environment(replace, shares=["data"], state_directory=str(daemon.share.parent))
    [finding] = [each for each in try_shadow_copy(about, None, None) if each.severity is FAIL]
    assert finding.topic == "self-test"
    assert str(daemon.snapshot) in finding.text


@pytest.mark.parametrize(("share", "named"), [("plain", "plain"), (None, "SHARE")])
def test_no_share_can_be_copied(daemon: Daemon, share: Optional[str], named: str) -> None:
    daemon.failing = "check-path" if share is None else ""
    [finding] = examined(daemon, share)
    assert (finding.severity, finding.next_step) == (FAIL, f"fsrvpctl fsrvpd check-path {named}")


def test_a_copy_that_fails(daemon: Daemon) -> None:
    daemon.failing = "self-test"
    finding = examined(daemon, "data")[-1]
    assert (finding.severity, finding.next_step) == (FAIL, "journalctl -u fsrvpd -e")


def test_a_copy_with_unexpected_content(daemon: Daemon) -> None:
    daemon.damaged = True
    findings = examined(daemon)
    assert severities(findings) == [OK, OK, FAIL, FAIL, OK]
    assert findings[-2].next_step == "smbclient //nas/data -U backup"


def test_a_copy_that_cannot_be_deleted(daemon: Daemon) -> None:
    daemon.failing = "delete-set"
    finding = examined(daemon)[-1]
    assert (finding.severity, finding.next_step) == (FAIL, "fsrvpctl fsrvpd delete-set {S}")
