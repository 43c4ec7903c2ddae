"""`mount` and `unmount`, with mounts that only say what they would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, List, Sequence

import pytest

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.ctl import configuration, mount
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.ctl.settings import Settings
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.mount.problems import Found, Problem
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.mounts import MountFiles, MountRecord
from tests.unit.requestor.ctl.fake_requestor import SET, FakeRequestor

POINT = Path("/run/fsrvpshadow/mnt/mount/data")
RECORD = MountRecord(str(POINT), "mount", parse_guid(SET), r"\\nas\data@{1}", False, True, 7)
INCOMPLETE = Found({"link": 2}, (Problem("link", "a", ""), Problem("link", "b", "")))


class Mounts:
    log: ClassVar[List[Any]] = []
    fails = False

    def __init__(self, store: MountFiles, who: Credentials, **options: Any) -> None:
        self.log.append(options)

    def mount(self, created: object, job: str) -> Sequence[Path]:
        self.log.append(("mount", job))
        if self.fails:
            raise RequestorError(str(POINT), "it cannot be mounted", "look")
        return [POINT]

    def forget(self) -> None:
        self.log.append("forget")

    def __enter__(self) -> Mounts:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append("exit")


@pytest.fixture
def requestor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRequestor:
    fake = FakeRequestor()
    Mounts.log, Mounts.fails = [], False
    monkeypatch.setattr(mount, "Mounts", Mounts)
    monkeypatch.setattr(mount, "open_mounts", lambda output: MountFiles(tmp_path))
    monkeypatch.setattr(mount, "open_requestor", lambda settings, output, connector: fake)
    monkeypatch.setattr(mount, "open_cleaner", lambda settings, output: fake)
    monkeypatch.setattr(mount, "who_logs_in", lambda settings: Credentials("x", "y"))
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    return fake


def test_a_set_is_made_and_mounted(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mount", "//nas/data", "--cifs", "--encrypt"]) == 0
    options, *rest = Mounts.log
    assert (options["by_cifs"], options["encrypt"], options["kept"]) == (True, True, True)
    assert rest == [("mount", "mount"), "exit"]
    assert not requestor.log[0][2]["keep"], "it is kept once it is mounted"
    assert "delete" not in requestor.log
    assert capsys.readouterr().out == (
        f"\\\\nas\\data is {POINT}\nuntil you type: fsrvpshadow unmount mount\n"
    )


def test_json(requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mount", "//nas/data", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["set"], found["job"]) == (SET, "mount")
    assert found["mounts"][0]["mount"] == str(POINT)


def test_a_set_that_cannot_be_mounted_is_deleted(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    Mounts.fails = True
    assert main(["mount", "//nas/data"]) == 1
    assert requestor.log[-1] == "delete"
    assert Mounts.log[-1] == "forget", "last"
    assert "it cannot be mounted" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["mount"], [str(POINT)], [str(POINT.parent)], ["--all"]])
def test_a_mount_is_ended_and_its_set_deleted(
    requestor: FakeRequestor,
    words: List[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    MountFiles(tmp_path).write(RECORD)
    monkeypatch.setattr(mount.left, "unmount", ended(Found({}, ())))
    assert main(["unmount", *words]) == 0
    assert requestor.log == [("delete", RECORD.set_id, None)]
    assert capsys.readouterr().out == f"{POINT}: unmounted\n"


def test_the_set_of_a_job_is_deleted_by_who_made_it(
    requestor: FakeRequestor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nightly = configuration.Section(credentials="/etc/nightly")
    found = configuration.Configuration(jobs={"nightly": nightly})
    monkeypatch.setattr(configuration, "load", lambda: found)
    who: List[Any] = []

    def opened(settings: Settings, output: object) -> FakeRequestor:
        who.append(settings.credentials)
        return requestor

    monkeypatch.setattr(mount, "open_cleaner", opened)
    MountFiles(tmp_path).write(RECORD._replace(job="nightly"))
    monkeypatch.setattr(mount.left, "unmount", ended(Found({}, ())))
    assert main(["unmount", "nightly"]) == 0
    assert who == ["/etc/nightly"]


def test_what_was_not_shown_is_told(
    requestor: FakeRequestor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    MountFiles(tmp_path).write(RECORD)
    monkeypatch.setattr(mount.left, "unmount", ended(INCOMPLETE))
    assert main(["unmount", "mount"]) == 3
    said = capsys.readouterr().err
    assert "2 files are not shown: they are links or junctions: a, b" in said


def test_the_set_of_what_is_unmounted_goes_whatever_comes_after(
    requestor: FakeRequestor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = RECORD._replace(point=f"{POINT}2", set_id=parse_guid("1" * 32))
    for each in (RECORD, busy):
        MountFiles(tmp_path).write(each)

    def unmount(store: MountFiles, record: MountRecord, *, force: bool) -> Found:
        if record == busy:
            raise RequestorError(record.point, "it cannot be unmounted: busy", "end what uses it")
        return Found({}, ())

    monkeypatch.setattr(mount.left, "unmount", unmount)
    assert main(["unmount", "--all"]) == 1
    assert "busy" in capsys.readouterr().err
    assert requestor.log == [("delete", RECORD.set_id, None)]


def test_only_what_is_mounted_can_be_unmounted(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["unmount", "nightly"]) == 2
    assert "nothing of it is mounted" in capsys.readouterr().err
    assert main(["unmount"]) == 2
    assert "mounted: none" in capsys.readouterr().err
    assert main(["unmount", "--all"]) == 0


def ended(found: Found) -> Any:
    def unmount(store: MountFiles, record: MountRecord, *, force: bool) -> Found:
        return found

    return unmount
