"""One way of running a command: argument vector, C locale, time limit, stderr kept."""

from __future__ import annotations

import errno
import os
import time

import pytest

from fsrvpd.run_command import CommandFailed, run


def test_it_returns_what_the_command_prints() -> None:
    assert run(["printf", "%s|", "a b", "$(id)", "'"]).stdout == "a b|$(id)|'|"
    assert run(["sh", "-c", "echo hm >&2"]) == ("", "hm")


def test_bytes_that_are_not_utf_8_survive() -> None:
    assert os.fsencode(run(["printf", r"\351"]).stdout) == b"\xe9"


def test_the_locale_is_c_and_nothing_of_ours_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    given = {"GIVEN": "ä", "LC_ALL": "de_DE.UTF-8"}
    lines = run(["env"], environment=given).stdout.splitlines()
    assert "LC_ALL=C" in lines
    assert "GIVEN=ä" in lines
    assert not [line for line in lines if line.startswith("SECRET")]


def test_a_failure_keeps_argv_status_and_output() -> None:
    argv = ["sh", "-c", "echo shown; echo why >&2; echo and how >&2; exit 7"]
    with pytest.raises(CommandFailed, match=r"^sh failed \(exit status 7\): why; and how$") as it:
        run(argv)
    assert (it.value.argv, it.value.status) == (tuple(argv), 7)
    assert (it.value.stdout, it.value.stderr) == ("shown\n", "why\nand how")


def test_a_failure_without_a_message() -> None:
    with pytest.raises(CommandFailed, match=r"false failed .* no error message"):
        run(["false"])


def test_a_command_that_is_not_there_names_itself() -> None:
    with pytest.raises(CommandFailed, match="cannot run /no/such/command: No such file") as it:
        run(["/no/such/command"])
    assert (it.value.status, it.value.error_number) == (None, errno.ENOENT)


def test_one_that_does_not_end_is_killed_with_what_it_started() -> None:
    script = "sleep 1000 & echo $! > $FILE; wait"
    reading, writing = os.pipe()
    environment = {"FILE": f"/proc/{os.getpid()}/fd/{writing}"}
    with pytest.raises(CommandFailed, match=r"sh timed out after 0.3 s") as it:
        run(["sh", "-c", script], timeout=0.3, environment=environment)
    pid = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    assert it.value.status is None
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{pid}")


def test_standard_input_is_empty() -> None:
    assert run(["cat"]).stdout == ""
