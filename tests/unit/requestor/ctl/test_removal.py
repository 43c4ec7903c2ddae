"""`delete` and `clean`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.core.messages import parse_guid
from fsrvpd.requestor.ctl import configuration, removal, thawing
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.ctl.settings import Settings
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.sets.removal import Cleaning, Left
from fsrvpd.requestor.state.files import StateFiles
from fsrvpd.requestor.state.frozen import FrozenFiles
from tests.unit.requestor.ctl.fake_requestor import COPY, SET, FakeRequestor, record

SET_ID, COPY_ID = parse_guid(SET), parse_guid(COPY)


@pytest.fixture
def requestor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRequestor:
    fake = FakeRequestor()
    monkeypatch.setattr(removal, "open_store", lambda output: StateFiles(tmp_path))
    for name in ("open_requestor", "open_cleaner"):
        monkeypatch.setattr(removal, name, lambda settings, output: fake)
    monkeypatch.setattr(thawing.FrozenFiles, "of_user", lambda warn: FrozenFiles(tmp_path))
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    return fake


@pytest.mark.parametrize(
    ("words", "call", "deleted"),
    [
        ([], ("delete", SET_ID, None), SET),
        (["--copy", COPY], ("delete", SET_ID, [COPY_ID]), COPY),
        (["--copy", COPY, "//nas/data"], ("delete", "//nas/data", SET_ID, COPY_ID), COPY),
    ],
)
def test_a_set_or_a_copy_is_deleted(
    requestor: FakeRequestor,
    words: list[str],
    call: tuple[object, ...],
    deleted: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["delete", "--set", SET.strip("{}").lower(), *words]) == 0
    assert requestor.log == [call]
    assert capsys.readouterr().out == f"{deleted} deleted\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "x"], "--set x: it is not a GUID"),
        (["--set", SET, "--copy", "y"], "--copy y: it is not a GUID"),
        (["--set", SET, "//nas/data"], "SHARE: it says which copy of another client is meant"),
    ],
)
def test_wrong_words(
    requestor: FakeRequestor, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["delete", *words]) == 2
    assert capsys.readouterr().err.startswith(f"fsrvpshadow: {said}")
    assert requestor.log == []


def test_a_failure_has_its_own_status(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    requestor.error = RequestorError("nas", "it is away", "later", exit_status=5)
    assert main(["delete", "--set", SET]) == 5
    assert capsys.readouterr().err == "fsrvpshadow: nas: it is away; later\n"


def test_cleaning_says_what_becomes_of_each(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Left(record(server="fs2"), RequestorError("fs2", "it is away", "later"))
    requestor.cleaning = Cleaning(
        (record(),), (record(server="b"),), (record(server="c"),), (away,)
    )
    assert main(["clean"]) == 5
    printed = capsys.readouterr()
    assert printed.out == (
        f"{SET} on nas: removed\n{SET} on b: in use\n{SET} on c: kept until it is deleted\n"
    )
    assert printed.err == "fsrvpshadow: fs2: it is away; later\n"


def test_a_record_that_cannot_be_read_is_something_left(
    requestor: FakeRequestor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later version may have written it. A timer's unit must not end as if all were well."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "x.json").write_text('{"format": 2}')
    assert main(["clean"]) == 5
    assert "x.json: it may stand for a set that is still on a server; " in capsys.readouterr().err


def test_a_dry_run_and_json(requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]) -> None:
    requestor.cleaning = Cleaning((record(),), (), (), ())
    assert main(["clean", "-n", "--json"]) == 0
    assert requestor.log == [("clean", [], True)]
    assert json.loads(capsys.readouterr().out) == {
        "set": SET,
        "server": "nas",
        "outcome": "would-be-removed",
        "job": "nightly",
    }


def test_the_sets_of_a_job_are_removed_with_its_credentials(
    requestor: FakeRequestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong login fails, and a few of them lock an account."""
    users: list[Any] = []

    def opened(settings: Settings, output: object) -> FakeRequestor:
        users.append((settings.credentials, settings.user))
        return requestor

    for name in ("open_requestor", "open_cleaner"):
        monkeypatch.setattr(removal, name, opened)
    text = "credentials = '/all'\n[job.nightly]\ncredentials = '/nightly'\n[job.weekly]\n"
    loaded = configuration.parse(text, "x")
    monkeypatch.setattr(configuration, "load", lambda: loaded)
    for number, job in enumerate(("nightly", "weekly", "sh-12345678", "")):
        StateFiles(tmp_path).write(record(job=job, set_id=bytes([number] * 16)))
    assert main(["clean"]) == 0
    assert [login for login, _ in users] == ["/all", "/nightly", "/all"]
    assert [sorted(jobs) for _, jobs, _ in requestor.log] == [
        ["", "sh-12345678"],
        ["nightly"],
        ["weekly"],
    ]
    users.clear()
    assert main(["-U", "chief", "clean"]) == 0
    assert users == [(None, "chief")]
    users.clear()
    for number in (0, 2):
        assert main(["delete", "--set", bytes([number] * 16).hex()]) == 0
    assert main(["delete", "--set", "ff" * 16]) == 0  # there is none, which `requestor` says
    assert [login for login, _ in users] == ["/nightly", "/all", "/all"]
