"""Which files in `usershare path` smbd takes for shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from samba_hooks.registry import usershares
from samba_hooks.registry.share_definition import Defaults

TEXT = "#VERSION 2\npath= /srv/of a user \ncomment=\nusershare_acl=S-1-1-0:F\nguest_ok=n\n"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "usershares"
    made.mkdir()
    made.chmod(0o1770)
    (made / "mine").write_text(TEXT)
    if os.geteuid() != 0:
        pytest.skip("the directory belongs to root")
    return made


def defaults(directory: Path, most: str = "100") -> Defaults:
    return Defaults({"usershare path": str(directory), "usershare max shares": most})


def test_a_share_is_found_whatever_its_case(directory: Path) -> None:
    found = usershares.find("Mine", defaults(directory))
    assert found is not None
    assert (found.name, found.path) == ("Mine", "/srv/of a user")
    assert "it is a usershare" in found.refusal()
    assert "net conf addshare Mine DIRECTORY" in found.share().refusal
    assert usershares.names(defaults(directory)) == ["mine"]


@pytest.mark.parametrize("name", ["../mine", "", "no such", "a/b", "."])
def test_what_is_no_name(directory: Path, name: str) -> None:
    assert usershares.find(name, defaults(directory)) is None


def test_without_usershares(directory: Path, tmp_path: Path) -> None:
    for off in (defaults(directory, "0"), defaults(tmp_path / "no"), Defaults()):
        assert usershares.find("mine", off) is None
        assert usershares.names(off) == []


@pytest.mark.parametrize("mode", [0o0770, 0o1777])
def test_a_directory_that_samba_does_not_trust(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    assert usershares.find("mine", defaults(directory)) is None
    assert usershares.names(defaults(directory)) == []


def test_files_that_samba_does_not_take(directory: Path) -> None:
    (directory / ":tmp").write_text(TEXT)
    (directory / "link").symlink_to(directory / "mine")
    os.mkfifo(directory / "fifo")
    (directory / "open").write_text(TEXT)
    (directory / "open").chmod(0o666)
    (directory / "empty").write_text("")
    for name in ("link", "fifo", "open", "empty"):
        assert usershares.find(name, defaults(directory)) is None, name
    assert ":tmp" not in usershares.names(defaults(directory))


def test_the_command_is_quoted(directory: Path) -> None:
    (directory / "my $(id)").write_text(TEXT)
    found = usershares.find("my $(id)", defaults(directory))
    assert found is not None
    assert "`net conf addshare 'my $(id)' DIRECTORY`" in found.refusal()
