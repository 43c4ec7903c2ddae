"""The command line of fsrvpshadow."""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.main import parse
from tests.paths import ROOT


def test_what_follows_two_dashes_is_the_command() -> None:
    parsed = parse(["run", "-c", "x", "\\\\nas\\data", "--", "restic", "--json", "--", "-k"])
    assert parsed.shares == ["\\\\nas\\data"]
    assert parsed.words == ["restic", "--json", "--", "-k"]
    assert (parsed.job, parsed.json, parsed.kerberos) == ("x", False, False)


@pytest.mark.parametrize("before", [True, False])
def test_common_options_may_stand_before_and_behind_the_command(before: bool) -> None:
    options = ["-A", "file", "--encrypt", "--wait", "2m", "--fqdn", "--json", "-v"]
    command = ["list"]
    parsed = parse([*options, *command] if before else [*command, *options])
    assert parsed.authentication_file == "file"
    assert parsed.wait == 120.0
    assert switches(parsed) == [False, True, True, True, True]


def test_without_options_nothing_is_set() -> None:
    parsed = parse(["clean"])
    assert (parsed.authentication_file, parsed.user, parsed.wait) == (None, None, None)
    assert switches(parsed) == [False] * 5


def switches(parsed: argparse.Namespace) -> list[bool]:
    return [parsed.kerberos, parsed.encrypt, parsed.json, parsed.verbose, parsed.fqdn]


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["run", "--nothing"], 125, "unrecognized arguments: --nothing"),
        (["run", "--wait", "x"], 125, "must be a time"),
        (["create", "--wait", "x"], 2, "must be a time"),
        (["create", "x", "--", "y"], 2, "create takes no COMMAND"),
        (["nothing"], 2, "invalid choice"),
        (["delete"], 2, "required: --set"),
        ([], 2, "required: COMMAND"),
    ],
)
def test_wrong_usage(
    argv: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == status
    assert said in capsys.readouterr().err


def test_a_command_imports_only_what_it_needs() -> None:
    """The libraries for SMB take longer to import than --help may take."""
    script = (
        "import sys; from fsrvpd.requestor.ctl.main import parse; parse(['list'])\n"
        "print({'spnego', 'smbprotocol', 'cffi', 'asyncio', 'tomllib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("command", [["list"], ["clean"], ["clean", "-n"]])
def test_the_libraries_for_smb_are_imported_when_a_server_is_contacted(
    command: list[str], tmp_path: Path
) -> None:
    script = (
        "import pathlib, sys; from fsrvpd.requestor.state import files\n"
        f"files.FOR_ROOT = pathlib.Path({str(tmp_path)!r})\n"
        f"from fsrvpd.requestor.ctl.main import main; assert main({command}) == 0\n"
        "print({'spnego', 'smbprotocol'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_every_command_says_what_it_does() -> None:
    from fsrvpd.requestor.ctl.main import parser

    [commands] = [
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    known = {"check", "run", "create", "list", "delete", "clean", "resolve", "shell"} | {
        "mount",
        "unmount",
        "tar",
        "copy",
        "restore",
    }
    assert known == commands.choices.keys()
    assert all(command.description for command in commands.choices.values())


PROMPTED = """
import sys
from fsrvpd.requestor.ctl.main import main
sys.exit(main(["-U", "backup", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    "command",
    [
        ["create", "//127.0.0.1/x"],
        ["run", "//127.0.0.1/x", "--", "true"],
        ["shell", "-s", "/dev/null"],
    ],
)
def test_an_interrupt_ends_the_question_for_a_password(command: list[str], tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
        os.execve(sys.executable, [sys.executable, "-c", PROMPTED, *command], environment)
    shown = ""
    while "Password for backup: " not in shown:
        shown += os.read(terminal, 4096).decode()
    os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.WEXITSTATUS(status) == 130, shown
