"""A storage tool that fails is a StorageError, and logged."""

from __future__ import annotations

import logging

import pytest

from fsrvpd.errors import StorageError
from fsrvpd.providers.storage_command import run


def test_a_failure_keeps_argv_status_and_stderr(caplog: pytest.LogCaptureFixture) -> None:
    argv = ["sh", "-c", "echo shown; echo why >&2; echo and how >&2; exit 7"]
    with pytest.raises(StorageError, match=r"/x: sh failed \(exit status 7\): why; and how") as it:
        run(argv, "/x")
    assert (it.value.argv, it.value.exit_status) == (tuple(argv), 7)
    assert it.value.stderr == "why\nand how"
    assert "exit 7" in caplog.text


def test_a_command_that_is_not_there_names_itself() -> None:
    with pytest.raises(StorageError, match="/x: cannot run /no/such/command: No such file") as it:
        run(["/no/such/command"], "/x")
    assert it.value.exit_status is None


def test_what_a_good_command_complains_about_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert run(["sh", "-c", "echo shown; echo hm >&2"], "/x") == "shown\n"
    assert "sh: hm" in caplog.text
