"""A client program that is asked, does not answer, ends, or has a user of its own."""

from __future__ import annotations

import os

import pytest

from fsrvpd.requestor.writers.database_client import ClientProgram
from fsrvpd.requestor.writers.ports import WriterFailed


def program(script: str, user: str = "") -> ClientProgram:
    return ClientProgram("db", ["/bin/sh", "-c", script], ("PG",), user or None)


def test_it_answers_up_to_the_mark() -> None:
    client = program('while read -r line; do echo "got $line"; done')
    before, behind = client.ask(f"one\ntwo {client.mark} more\n", 20)
    assert before == "got one\ngot two "
    assert behind == "more"
    client.close()
    client.close()


def test_a_long_answer() -> None:
    client = program("read -r mark; head -c 3000000 /dev/zero | tr '\\0' x; echo \"$mark\"")
    before, _ = client.ask(f"{client.mark}\n", 20)
    assert len(before) == 3000000
    client.close()


def test_no_answer_in_time_ends_it() -> None:
    client = program("sleep 300")
    with pytest.raises(WriterFailed, match="writer db: /bin/sh has not answered in time"):
        client.ask("x\n", 0.05)
    with pytest.raises(WriterFailed, match="has ended"):
        client.ask("x\n", 20)
    client.close()


def test_its_last_words_are_the_error() -> None:
    client = program("echo connection refused >&2; exit 2")
    with pytest.raises(WriterFailed, match="/bin/sh has ended: connection refused"):
        client.ask("x\n", 20)
    client.close()


def test_it_gets_no_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("PGSERVICEFILE", "/some/file")
    monkeypatch.setenv("OTHER", "x")
    client = program('read -r mark; env | grep -E "^(PG|OTHER|LC_ALL)" | sort; echo "$mark"')
    before, _ = client.ask(f"{client.mark}\n", 20)
    assert before.split() == ["LC_ALL=C", "PGSERVICEFILE=/some/file"]
    client.close()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(WriterFailed, match="cannot run /no/such: No such file"):
        ClientProgram("db", ["/no/such"], (), None)


def test_a_user_that_is_not_there() -> None:
    with pytest.raises(WriterFailed, match="this host has no user nobody-at-all"):
        program("true", "nobody-at-all")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_runs_it() -> None:
    client = program('read -r mark; id -un; echo "$HOME"; echo "$mark"', "daemon")
    before, _ = client.ask(f"{client.mark}\n", 20)
    assert before.split() == ["daemon", "/usr/sbin"]
    client.close()


def test_what_has_ended_is_not_killed_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    client = program("read -r line")
    client.close()
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: killed.append(group))
    client.kill()
    assert killed == []
