"""`run`: the command's status, and the end of the set, whatever happens."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from fsrvpd.requestor.ctl import configuration, run
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.errors import RequestorError, ServerBusy
from fsrvpd.requestor.sets.removal import Cleaning, Left
from tests.paths import ROOT
from tests.unit.requestor.ctl.fake_requestor import COPY, SET, FakeRequestor, record
from tests.unit.requestor.ctl.fake_run import FakeParts

SHARE = "\\\\nas\\data\\sub"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeParts:
    """Without writers or mounts, which have tests of their own."""
    fake = FakeParts(tmp_path)
    fake.writers = fake.mounts = None
    monkeypatch.setattr(run, "open_store", lambda output: fake.store)
    monkeypatch.setattr(run, "RunParts", fake)
    monkeypatch.setattr(configuration, "load", lambda: configuration.Configuration())
    return fake


@pytest.fixture
def requestor(parts: FakeParts) -> FakeRequestor:
    return parts.requestor


def names(requestor: FakeRequestor) -> list[str]:
    return [each if isinstance(each, str) else each[0] for each in requestor.log]


def shell(script: str, *options: str) -> int:
    return main(["run", *options, SHARE, "--", "sh", "-c", script])


def test_a_command_has_its_environment_and_its_status(
    requestor: FakeRequestor, capfd: pytest.CaptureFixture[str]
) -> None:
    variables = '"$FSRVPSHADOW_SET" "$FSRVPSHADOW_SHARE_1" "$FSRVPSHADOW_PREFIX_1"'
    script = f"printf '%s %s %s\\n' {variables}; exit 3"
    assert shell(script) == 3
    printed = capfd.readouterr()
    assert printed.out == f"{SET} \\\\nas\\data@{COPY} sub\n"
    assert printed.err == ""
    assert names(requestor) == ["create", "delete"]
    _, shares, options = requestor.log[0]
    assert shares == (SHARE,)
    assert (options["keep"], options["context"], options["wait"]) == (False, 0x10, None)


def test_the_same_shares_and_command_are_the_same_job(requestor: FakeRequestor) -> None:
    for script in ("true", "true", "true #"):
        assert shell(script) == 0
    first, second, other = (options["job"] for _, _, options in requestor.log[::2])
    assert first == second != other
    assert first.startswith("sh-")
    assert "true" not in first, "words of a command may be secrets"


def test_a_job_has_a_name_that_can_be_written_down(
    requestor: FakeRequestor, tmp_path: Path
) -> None:
    """The record of a killed run must be readable, whatever the name of its COMMAND is."""
    program = os.path.join(os.fsencode(tmp_path), b"b\xe9ckup")
    shutil.copy("/bin/true", program)
    assert main(["run", SHARE, "--", os.fsdecode(program)]) == 0
    assert requestor.log[0][2]["job"].startswith("b\\xe9ckup-")


@pytest.mark.parametrize(
    ("script", "status"), [("kill -KILL $$", 137), ("kill -TERM $$", 143), ("exit 0", 0)]
)
def test_the_status_is_the_shells(requestor: FakeRequestor, script: str, status: int) -> None:
    assert shell(script) == status
    assert names(requestor) == ["create", "delete"]


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("no-such-program", 127, "no-such-program: No such file or directory; install it"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied; chmod +x it"),
    ],
)
def test_a_command_that_cannot_be_run(
    requestor: FakeRequestor,
    command: str,
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", SHARE, "--", command]) == status
    assert capsys.readouterr().err.startswith(f"fsrvpshadow: {said}")
    assert names(requestor) == [], "no server works for a command that cannot be run"


def test_a_script_that_the_system_does_not_start(
    requestor: FakeRequestor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "backup"
    script.write_text("true\n")
    script.chmod(0o755)
    assert main(["run", SHARE, "--", str(script)]) == 126
    assert "write #!/bin/sh into its first line" in capsys.readouterr().err
    assert names(requestor) == ["create", "delete"]


def raising(error: BaseException) -> Callable[[], object]:
    def function() -> object:
        raise error

    return function


def test_a_set_that_is_not_made(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    requestor.creating = raising(ServerBusy("nas", "it is busy", "wait"))
    assert shell("echo started") == 125
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "fsrvpshadow: nas: it is busy; wait\n")


@pytest.mark.parametrize(("script", "status"), [("exit 0", 125), ("exit 3", 3)])
def test_a_set_that_is_not_deleted(
    requestor: FakeRequestor, script: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command's own failure says more."""
    requestor.deleting = raising(RequestorError("nas", "it is away", "clean"))
    assert shell(script) == status
    assert capsys.readouterr().err == "fsrvpshadow: nas: it is away; clean\n"


def test_a_copy_that_the_server_has_removed_too_early(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next run of the job says so beforehand, until one has lasted as long."""
    requestor.gone = True
    assert shell("exit 0 #") == 125
    assert "it may not have read all" in capsys.readouterr().err
    requestor.gone = False
    assert shell("exit 0 #") == 0
    said = capsys.readouterr().err
    assert said.startswith("fsrvpshadow: warning: job sh-")
    assert "removed the copies of an earlier run before its end, after at most 0 s" in said
    assert shell("exit 0 # of another job") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_set_is_made(requestor: FakeRequestor, number: signal.Signals) -> None:
    requestor.creating = lambda: os.kill(os.getpid(), number)
    assert shell("echo started") == 128 + number
    assert names(requestor) == ["create", "clean"]


def test_what_a_signal_leaves_is_named(
    requestor: FakeRequestor, capsys: pytest.CaptureFixture[str]
) -> None:
    requestor.creating = lambda: os.kill(os.getpid(), signal.SIGTERM)
    left = Left(record(), RequestorError("nas", "it is away", "start it"))
    requestor.cleaning = Cleaning((), (), (), (left,))
    assert shell("echo started") == 143
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("fsrvpshadow: warning: nas: it is away; start it; something is left")
    assert second == "fsrvpshadow: ended by SIGTERM"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_set_is_deleted(
    requestor: FakeRequestor, number: signal.Signals
) -> None:
    ended = []

    def deleting() -> None:
        os.kill(os.getpid(), number)
        ended.append(True)

    requestor.deleting = deleting
    assert shell("exit 0") == 128 + number
    assert shell("exit 3") == 3
    assert ended == [True, True]


def test_with_json_standard_output_is_ours(
    requestor: FakeRequestor, capfd: pytest.CaptureFixture[str]
) -> None:
    assert shell("echo of the command; exit 3", "--json") == 3
    printed = capfd.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["event"] for line in lines] == [
        *("set-created", "command-started", "command-ended")
    ]
    assert lines[2]["exit_status"] == 3
    assert printed.err == "of the command\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", SHARE], "COMMAND: none was given"),
        (["run", "--", "true"], "SHARE: none was given"),
        (["run", "-c", "x", "--", "true"], "job x: "),
    ],
)
def test_what_is_missing(
    requestor: FakeRequestor, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 125
    assert capsys.readouterr().err.startswith(f"fsrvpshadow: {said}")
    assert requestor.log == []


@pytest.mark.parametrize(
    ("script", "number", "status", "said"),
    [
        ("exit 0", errno.ENOSPC, 125, "fsrvpshadow: standard output: No space left on device\n"),
        ("exit 3", errno.ENOSPC, 3, "fsrvpshadow: standard output: No space left on device\n"),
        ("exit 0", errno.EPIPE, 0, ""),
    ],
)
def test_what_json_prints_cannot_be_written(
    requestor: FakeRequestor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    number: int,
    status: int,
    said: str,
) -> None:
    """The backup is complete; who reads of it may not know."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "stdout", Full())
    assert shell(script, "--json") == status
    assert names(requestor) == ["create", "delete"]
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("is_full", [True, False])
def test_nobody_reads_what_json_prints(is_full: bool) -> None:
    """The backup goes on, and the status is that of its command."""
    script = (
        "import sys\n"
        "from fsrvpd.terminal import printing\n"
        "from fsrvpd.requestor.ctl.output import Output\n"
        "def command():\n"
        "    Output(as_json=True).event('command-started', 'x')\n"
        "    return 3\n"
        "sys.exit(printing('fsrvpshadow', command))\n"
    )
    if is_full:
        nowhere = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, nowhere = os.pipe()
        os.close(reader)
    argv = [sys.executable, "-c", script]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        argv, cwd=ROOT, env=buffered, stdout=nowhere, stderr=subprocess.PIPE, check=False
    )
    os.close(nowhere)
    assert (done.returncode, done.stderr) == (3, b"")
