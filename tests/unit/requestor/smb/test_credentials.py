from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.smb import credentials
from fsrvpd.requestor.smb.credentials import Credentials

SECRET = "Lab-pass-0"


def written(directory: Path, text: str, mode: int = 0o600) -> str:
    path = directory / "login"
    path.write_bytes(text.encode())
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("username = backup\npassword = Lab-pass-0\n", "backup", SECRET),
        ("username=backup\npassword=Lab-pass-0", "backup", SECRET),
        ("password = a = b \nusername = x\n", "x", "a = b "),
        ("username = backup\npassword = p\ndomain = NAS\n", r"NAS\backup", "p"),
        ("username = LAB\\backup\npassword = p\ndomain = NAS\n", r"LAB\backup", "p"),
        ("username = backup@lab.example\npassword = p\ndomain = NAS\n", "backup@lab.example", "p"),
        ("USERNAME = a\r\nPassWord = p\r\n", "a", "p"),
        ("\ufeffusername = a\r\npassword = p\r\n", "a", "p"),
        ("username = a\npassword = p\x0c\x85\u2028q\n", "a", "p\x0c\x85\u2028q"),
        ("username = a\npassword =\n", "a", ""),
        ("# made by hand\nusername = a\nrealm = X\npassword = ü\n", "a", "ü"),
    ],
)
def test_files_are_read_as_smbclient_reads_them(
    tmp_path: Path, text: str, user: str, password: str
) -> None:
    assert credentials.from_file(written(tmp_path, text)) == Credentials(user, password)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    with pytest.raises(RequestorError, match="it is not a file"):
        credentials.from_file(str(path))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("password = Lab-pass-0\n", "no username"),
        ("username = a\n", "no password"),
        ("", "no username"),
        ("username = a\npassword = Lab-pass-0" + "x" * 65536, "too large"),
    ],
)
def test_what_is_missing_is_told_without_the_secret(tmp_path: Path, text: str, cause: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RequestorError, match=cause) as caught:
        credentials.from_file(path)
    assert caught.value.object == path
    assert caught.value.exit_status == 2
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "login"
    path.write_bytes(b"username = \xff\n")
    path.chmod(0o600)
    with pytest.raises(RequestorError, match="UTF-8"):
        credentials.from_file(str(path))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_others_must_not_read_it(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, "username = a\npassword = b\n", mode)
    with pytest.raises(RequestorError, match=f"mode {mode:04o}.*chmod 600"):
        credentials.from_file(path)


def test_another_users_file_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "username = a\npassword = b\n")
    owner = os.stat(path).st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert credentials.from_file(path).user == "a"  # root's file is as good as one's own
    else:
        with pytest.raises(RequestorError, match="another user"):
            credentials.from_file(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match="No such file"):
        credentials.from_file(str(tmp_path / "none"))
    with pytest.raises(RequestorError):
        credentials.from_file(str(tmp_path))
    with pytest.raises(RequestorError, match="not a file"):
        credentials.from_file("/dev/null")


def test_systemd_puts_it_into_a_directory(tmp_path: Path) -> None:
    (tmp_path / credentials.SYSTEMD_NAME).write_text("username = a\npassword = b\n")
    found = credentials.from_systemd({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found == Credentials("a", "b")
    assert credentials.from_systemd({}) is None
    assert credentials.from_systemd({"CREDENTIALS_DIRECTORY": str(tmp_path / "x")}) is None


def test_the_secret_is_in_no_text() -> None:
    assert SECRET not in repr(Credentials("a", SECRET))
    assert SECRET not in Credentials("a", SECRET).shown
    assert Credentials("a", SECRET).shown == "a"
    assert "cache" in credentials.from_cache().shown
    assert credentials.from_cache("a@LAB").shown == "a@LAB"


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(RequestorError, match="no terminal"):
        credentials.ask("a", lambda prompt: SECRET)


def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return SECRET

    assert credentials.ask("a", read) == Credentials("a", SECRET)
    assert prompts == ["Password for a: "]


def test_a_terminal_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)

    def read(prompt: str) -> str:
        raise EOFError

    with pytest.raises(RequestorError, match="no password was typed"):
        credentials.ask("a", read)
