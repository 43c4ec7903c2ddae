"""Who logs in, and what is opened with that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict

import pytest

from fsrvpd.requestor.ctl import opening
from fsrvpd.requestor.ctl.output import Output
from fsrvpd.requestor.ctl.settings import Settings, WrongUsage
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.smb import connector as smb_connector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.state.files import StateFiles
from tests.unit.requestor.ctl.fake_requestor import record

NOBODY = Settings(
    shares=(),
    run=(),
    job="",
    credentials=None,
    user=None,
    kerberos=False,
    encrypt=False,
    wait=0.0,
    owners=(),
    fqdn=False,
    writers=(),
    window=10.0,
    mount=True,
    cifs=False,
    metrics=None,
)


def written(path: Path, user: str) -> str:
    path.write_text(f"username = {user}\npassword = secret\n")
    path.chmod(0o600)
    return str(path)


def test_a_file_says_who(tmp_path: Path) -> None:
    found = opening.who_logs_in(NOBODY._replace(credentials=written(tmp_path / "x", "backup")), {})
    assert found == Credentials("backup", "secret")


def test_a_user_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.credentials, "ask", lambda user: Credentials(user, "typed"))
    assert opening.who_logs_in(NOBODY._replace(user="x"), {}) == Credentials("x", "typed")


def test_what_systemd_has_loaded_comes_before_tickets(tmp_path: Path) -> None:
    written(tmp_path / opening.credentials.SYSTEMD_NAME, "loaded")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "KRB5CCNAME": "FILE:/x"}
    assert opening.who_logs_in(NOBODY, environment).user == "loaded"
    assert opening.who_logs_in(NOBODY._replace(kerberos=True), environment).kerberos


@pytest.mark.parametrize("exists", [True, False])
def test_tickets_are_used_where_there_are_some(
    exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: exists)
    if exists:
        assert opening.who_logs_in(NOBODY, {}).kerberos
    else:
        with pytest.raises(WrongUsage, match="nothing says as whom; use -A FILE, -U USER or -k"):
            opening.who_logs_in(NOBODY, {})
    assert opening.who_logs_in(NOBODY, {"KRB5CCNAME": "KEYRING:x"}).kerberos


class Connector:
    def __init__(self, credentials: Credentials, *, encrypt: bool) -> None:
        self.given = (credentials.user, encrypt)

    def log_in(self, host: str) -> Any:
        raise RequestorError(host, "nobody is there", "start it")


def test_names_follow_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Dict[str, Any] = {}

    def connector(credentials: Credentials, **options: Any) -> Connector:
        made["connector"] = Connector(credentials, **options)
        return made["connector"]  # type: ignore[no-any-return]

    monkeypatch.setattr(smb_connector, "SmbConnector", connector)
    file = written(tmp_path / "x", "backup")
    names = opening.open_names(NOBODY._replace(credentials=file, encrypt=True))
    assert made["connector"].given == ("backup", True)
    with pytest.raises(RequestorError, match="nobody is there"):
        names.resolve("\\\\127.0.0.1\\data")


def test_without_a_login_nobody_is_asked_for_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(opening, "_has_tickets", lambda environment: False)
    names = opening.open_names(NOBODY)
    assert names.resolve("\\\\127.0.0.1\\data").unc == "\\\\127.0.0.1\\data"


def test_nobody_logs_in_to_clean_up_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_has_tickets", lambda environment: False)
    monkeypatch.setattr(opening, "open_store", lambda output: StateFiles(tmp_path))
    cleaner = opening.open_cleaner(NOBODY, Output())
    assert cleaner.clean().removed == ()
    StateFiles(tmp_path).write(record(pid=1))
    assert len(cleaner.clean(dry_run=True).removed) == 1
    [left] = cleaner.clean().left
    assert "nothing says as whom" in str(left.error)


def test_events_are_printed_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []

    def requestor(connector: object, store: object, names: object, *, report: Any) -> object:
        reports.append(report)
        return object()

    monkeypatch.setattr(opening, "Requestor", requestor)
    noted = []
    file = written(tmp_path / "x", "backup")
    opening.open_requestor(NOBODY._replace(credentials=file), Output(as_json=True), noted.append)
    reports[0](opening.Event("set-committed", "nas: committed", {"server": "nas"}))
    assert capsys.readouterr().out == '{"event": "set-committed", "server": "nas"}\n'
    assert [event.name for event in noted] == ["set-committed"]
