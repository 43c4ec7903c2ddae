from __future__ import annotations

import logging
import os
import time

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.commands import run


def test_it_returns_what_the_command_prints() -> None:
    assert run(["printf", "%s|", "a b", "$(id)", "'"], "/x") == "a b|$(id)|'|"


def test_the_language_is_c_and_nothing_of_ours_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    lines = run(["env"], "/x", environment={"GIVEN": "ä"}).splitlines()
    assert "LC_ALL=C" in lines
    assert "GIVEN=ä" in lines
    assert not [line for line in lines if line.startswith("SECRET")]


def test_a_failure_keeps_argv_status_and_stderr(caplog: pytest.LogCaptureFixture) -> None:
    argv = ["sh", "-c", "echo shown; echo why >&2; echo and how >&2; exit 7"]
    with pytest.raises(StorageError, match=r"/x: sh failed \(exit status 7\): why; and how") as it:
        run(argv, "/x")
    assert (it.value.argv, it.value.exit_status) == (tuple(argv), 7)
    assert it.value.stderr == "why\nand how"
    assert "exit 7" in caplog.text


def test_what_a_good_command_complains_about_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert run(["sh", "-c", "echo hm >&2"], "/x") == ""
    assert "sh: hm" in caplog.text


def test_a_command_that_is_not_there_names_itself() -> None:
    with pytest.raises(StorageError, match="cannot run /no/such/command: No such file") as it:
        run(["/no/such/command"], "/x")
    assert it.value.exit_status is None


def test_one_that_does_not_end_is_killed_with_what_it_started() -> None:
    script = "sleep 1000 & echo $! > $FILE; wait"
    reading, writing = os.pipe()
    with pytest.raises(StorageError, match=r"did not end in 0.3 s") as it:
        run(
            ["sh", "-c", script],
            "/x",
            timeout=0.3,
            environment={"FILE": f"/proc/{os.getpid()}/fd/{writing}"},
        )
    pid = int(os.read(reading, 100))
    os.close(reading)
    os.close(writing)
    assert it.value.exit_status is None
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{pid}")


def test_standard_input_is_empty() -> None:
    assert run(["cat"], "/x") == ""
