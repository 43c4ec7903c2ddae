"""fsrvpctl: the selected command, and the exit status of each failure."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from fsrvpd.ctl import check_config, main, send, share_config
from fsrvpd.ctl.client import NotRunning
from fsrvpd.ctl.doctor import command as doctor
from fsrvpd.ctl.send import WrongUsage
from fsrvpd.ctl.setup import command as setup
from fsrvpd.errors import FsrvpdError


@pytest.mark.parametrize(
    ("module", "function", "argv"),
    [
        (check_config, "check_config", ["check-config", "--json"]),
        (share_config, "share_config", ["share-config", "data"]),
        (doctor, "doctor", ["doctor", "--no-self-test"]),
        (setup, "setup", ["setup", "--undo", "--yes"]),
        (main, "send", ["fsrvpd", "delete-set", "{S}", "--dry-run"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_command_that_is_chosen_runs(
    module: Any, function: str, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(arguments: Any) -> int:
        seen.append(arguments)
        return 7

    monkeypatch.setattr(module, function, run)
    assert main.main(["-s", "/smb.conf", "--option=a=b", *argv]) == 7
    [arguments] = seen
    assert (arguments.configfile, arguments.option) == ("/smb.conf", ["a=b"])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FsrvpdError("refused"), main.EXIT_FAILED),
        (WrongUsage("usage"), main.EXIT_USAGE),
        (NotRunning("nobody"), send.EXIT_NOT_RUNNING),
        (KeyboardInterrupt(), main.EXIT_INTERRUPTED),
        (BrokenPipeError(), main.EXIT_FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_status(error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: Any) -> int:
        raise error

    monkeypatch.setattr(check_config, "check_config", fail)
    for name in (
        "stdout",
        "stderr",
    ):  # pytest's own would be discarded, and with it all later tests
        monkeypatch.setattr(sys, name, io.StringIO())
    assert main.main(["check-config"]) == status


@pytest.mark.parametrize("argv", [[], ["dance"], ["fsrvpd"], ["fsrvpd", "dance"], ["remove"]])
def test_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(argv)
    assert caught.value.code == main.EXIT_USAGE
    assert "usage: fsrvpctl" in capsys.readouterr().err


def test_the_version_names_the_core(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["--version"])
    assert capsys.readouterr().out.startswith("fsrvpctl 0.1.0 (C core ")
