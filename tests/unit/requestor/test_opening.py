"""A requestor of this host: nothing is contacted before it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.core.messages import new_guid
from fsrvpd.requestor import Credentials, Requestor, RequestorError, ShareRoot, connect, open_copy
from fsrvpd.requestor.names.system_look_up import SystemLookUp
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopy
from fsrvpd.requestor.state import files


def test_state_lies_where_it_is_wanted(tmp_path: Path) -> None:
    requestor = connect(Credentials("backup", "secret"), state=tmp_path)
    assert isinstance(requestor, Requestor)
    assert requestor.records() == []
    assert list(tmp_path.iterdir()) == []


def test_state_that_cannot_be_read_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "x.json").write_text("{")
    assert connect(Credentials("backup", "secret"), state=tmp_path).records() == []
    assert "not a record" in caplog.text


def test_the_default_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files, "FOR_ROOT", tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert connect(Credentials("backup", "secret")).records() == []


def test_names_are_looked_up_anew_for_each_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def forward(look_up: SystemLookUp, host: str) -> None:
        asked.append(host)
        raise RequestorError(host, "no address is known for this name", "")

    monkeypatch.setattr(SystemLookUp, "forward", forward)
    requestor = connect(Credentials("backup", "secret"), state=tmp_path)
    for number in (1, 2):
        with pytest.raises(RequestorError, match="no address"):
            requestor.create([r"\\nowhere\data"])
        assert asked == ["nowhere"] * number


def test_a_copy_is_read_from_the_directory_that_was_asked_for() -> None:
    root = ShareRoot(r"\\NAS\data\deep", r"\\nas\data", "nas", "data", "deep\\er")
    copy = ShadowCopy(root, r"\\nas\data@{1}", new_guid(), None)
    with open_copy(copy, Credentials("backup", "secret")) as tree:  # nothing is contacted
        assert tree.unc("a").endswith("\\data@{1}\\deep\\er\\a")
