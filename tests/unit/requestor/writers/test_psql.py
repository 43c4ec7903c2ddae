"""What psql is asked, and what is made of its answers, with a program in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.psql import Psql, check_connect

PSQL = r"""#!/bin/sh
printf '%s\n' "$@" > "$0.argv"
while read -r line; do
    case "$line" in
        'SELECT two;') printf 'a\037b\036c\037line 1\nline 2\n' ;;
        'SELECT one;') echo 7 ;;
        '\echo '*) set -- $line; echo "$2 ${state:-00000} ${message}" ; state= ; message= ;;
        'SELECT wrong'*) state=42501 message='permission denied' ;;
    esac
done
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "psql"
    program.write_text(PSQL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_rows(directory: Path) -> None:
    session = Psql("pg", "service=nas", None)
    assert session.rows("SELECT two", 20) == [["a", "b"], ["c", "line 1\nline 2"]]
    assert session.rows("CHECKPOINT", 20) == []
    assert session.value("one", 20) == "7"
    session.close()
    argv = (directory / "psql.argv").read_text().splitlines()
    assert argv[-2:] == ["--dbname", "service=nas"]
    assert "--no-password" in argv


def test_a_refusal_does_not_end_the_session(directory: Path) -> None:
    session = Psql("pg", "", None)
    with pytest.raises(WriterFailed) as caught:
        session.rows("SELECT wrong FROM x WHERE y", 20)
    assert caught.value.cause == "PostgreSQL refuses SELECT wrong FROM …: permission denied (42501)"
    assert session.value("one", 20) == "7"
    session.close()


@pytest.mark.parametrize(
    "connect",
    [
        "host=nas password=x",
        "host=nas PASSWORD = 'x'",
        "postgresql://me:x@nas/db",
        "postgresql://nas/db?sslpassword=x",
    ],
)
def test_a_password_on_a_command_line_is_refused(connect: str) -> None:
    with pytest.raises(WriterFailed, match="every user of this host could read"):
        check_connect("pg", connect)


@pytest.mark.parametrize(
    "connect", ["", "service=nas", "postgresql://me@nas:5432/db", "passfile=f"]
)
def test_other_strings_are_libpqs(connect: str) -> None:
    check_connect("pg", connect)
