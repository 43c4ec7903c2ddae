"""fsrvpd/requestor/shell/command.py: scripts, standard input, and a terminal."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Sequence

import pytest

from fsrvpd.requestor.ctl.signals import Signals
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.shell import lines
from fsrvpd.requestor.shell.command import Script, main, run
from fsrvpd.requestor.shell.output import Output
from fsrvpd.requestor.shell.words import REFUSED
from tests.paths import ROOT
from tests.unit.requestor.shell.copies import Copies
from tests.unit.requestor.shell.masked import expected, masked, script

SHARE = r"\\nas\data"


class Run:
    """One script, and what came of it."""

    def __init__(self, text: bytes, copies: Copies) -> None:
        stdout, stderr = io.StringIO(), io.StringIO()
        self.copies = copies
        output = Output(stdout, stderr)
        with Signals() as signals:
            self.status = run(copies, signals, Script("x.dsh", lines.decode(text)), output)
        self.stdout, self.stderr = stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    monkeypatch.chdir(tmp_path)
    return Copies()


def test_the_sessions_of_microsofts_description(copies: Copies) -> None:
    for name in ("backup", "restore", "delete"):
        done = Run(script(name, SHARE), copies)
        assert (done.status, done.stderr) == (0, "")
        assert masked(done.stdout) == expected(name)
    assert copies.there == []


def test_the_first_line_of_the_description_stops_the_script(copies: Copies) -> None:
    writer = b"Writer Verify {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}\r\n"
    done = Run(writer + script("backup", SHARE), copies)
    assert done.status == 1
    assert done.stderr.startswith("fsrvpshadow: x.dsh:1: {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}: ")
    assert copies.there == []
    assert done.stdout.endswith("\n-> Writer Verify {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}\n")


def test_a_script_that_fails_half_way_leaves_what_is_persistent(copies: Copies) -> None:
    text = (
        "set context persistent\nadd volume \\\\nas\\vm\ncreate\nset context volatile\n"
        "add volume \\\\nas\\data\ncreate\nbegin backup\nexpose %VSS_SHADOW_1% p:\nlist writers\n"
    )
    done = Run(text.encode(), copies)
    assert done.status == 1
    assert done.stderr.startswith("fsrvpshadow: x.dsh:8: EXPOSE: every copy is a share already")
    assert done.stdout.endswith("not notified BackupComplete.\n")
    assert [copy.volume for copy in copies.there] == [r"\\nas\vm"]


def test_the_status_of_an_error_is_the_scripts(copies: Copies) -> None:
    done = Run(b"add volume \\\\nas\\refused\ncreate\n", copies)
    assert done.status == 4
    assert done.stderr == (
        "fsrvpshadow: x.dsh:2: CREATE: \\\\nas\\refused: the server refused; look there\n"
    )


def test_exit_ends_a_script_without_an_error(copies: Copies) -> None:
    done = Run(b"exit\nfrobnicate\n", copies)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.endswith("\n-> exit\n")


def test_what_is_left_has_a_status_of_its_own(copies: Copies) -> None:
    copies.kept = RequestorError("nas", "it is away", "")
    done = Run(b"add volume \\\\nas\\vm\ncreate\n", copies)
    assert done.status == 5
    assert done.stderr.endswith("may be left\nfsrvpshadow: type: fsrvpshadow clean\n")


@pytest.mark.parametrize("path", REFUSED, ids=" ".join)
def test_what_cannot_be_meant_stops_a_script(copies: Copies, path: Sequence[str]) -> None:
    text = f"add volume \\\\nas\\vm\ncreate\n{' '.join(path)} x\nset context persistent\ncreate\n"
    done = Run(text.encode(), copies)
    assert done.status == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"fsrvpshadow: x.dsh:3: {' '.join(path).upper()}: ")
    assert copies.there == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_script_and_what_is_volatile(
    copies: Copies, tmp_path: Path, number: signal.Signals
) -> None:
    program = tmp_path / "x"
    program.write_text(f"#!/bin/sh\nkill -{number} $PPID\nexec sleep 60\n")
    program.chmod(0o755)
    done = Run(b"add volume \\\\nas\\vm\ncreate\nexec x\nfrobnicate\n", copies)
    assert done.status == 128 + number
    assert copies.there == []


def test_output_that_nobody_takes_leaves_nothing(copies: Copies) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            if "listed" in text:
                raise BrokenPipeError
            return len(text)

    closed = Output(Closed(), io.StringIO())
    commands = Script("x", [r"add volume \\nas\vm", "create"])
    with pytest.raises(BrokenPipeError), Signals() as signals:
        run(copies, signals, commands, closed)
    assert copies.there == []


@pytest.mark.parametrize("script", ["missing.dsh", "latin.dsh"])
def test_a_script_that_cannot_be_read(
    copies: Copies, script: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("latin.dsh").write_bytes(b"\xff")
    assert main(copies, Signals(), script=script) in (1, 2)
    assert capfd.readouterr().err.startswith("fsrvpshadow: ")


def test_a_log_that_cannot_be_written(copies: Copies, capfd: pytest.CaptureFixture[str]) -> None:
    Path("x.dsh").touch()
    assert main(copies, Signals(), script="x.dsh", log="no/log") == 2
    assert capfd.readouterr().err == (
        "fsrvpshadow: no/log: No such file or directory; name another file with -l\n"
    )


def test_a_script_with_a_log(copies: Copies, capfd: pytest.CaptureFixture[str]) -> None:
    Path("x.dsh").write_text("list shadows all\nset\x1b\n")
    assert main(copies, Signals(), script="x.dsh", log="log") == 1
    shown = capfd.readouterr()
    assert Path("log").read_text() == shown.out + shown.err
    assert "-> set\\x1b\n" in shown.out


SHELL = """
import sys
from fsrvpd.requestor.shell.command import main
from fsrvpd.requestor.ctl.signals import Signals
from tests.unit.requestor.shell.copies import Copies
copies = Copies()
with Signals() as signals:
    status = main(copies, signals)
print("left:", len(copies.there))
sys.exit(status)
"""


WAITING = "print('ready', flush=True) or main(copies"


def test_standard_input_is_a_script_if_it_is_no_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        cwd=ROOT,
        input="add volume \\\\nas\\vm\ncreate\nbreak\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("fsrvpshadow: standard input:3: BREAK: ")
    assert done.stdout.endswith("left: 0\n")


def test_a_signal_ends_the_wait_for_a_script(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHELL.replace("main(copies", WAITING)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stdout is not None
        waiting.stdout.readline()
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(60) == 128 + signal.SIGTERM


class Keyboard:
    """A shell at a terminal of its own."""

    def __init__(self, home: Path, program: str = SHELL) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(home)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self.shown = ""

    def press(self, keys: str, until: str) -> str:
        """What is shown up to a text."""
        os.write(self._master, keys.encode())
        return self.read(until)

    def read(self, until: str) -> str:
        while until not in self.shown:
            self.shown += os.read(self._master, 4096).decode()
        found, _, self.shown = self.shown.partition(until)
        return found.replace("\r\n", "\n")

    def close(self) -> None:
        os.close(self._master)
        self.process.kill()
        self.process.wait()


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def keyboard(tmp_path: Path) -> Iterator[Keyboard]:
    opened = Keyboard(tmp_path)
    yield opened
    opened.close()


PROMPT = "DISKSHADOW> "


def test_a_terminal(keyboard: Keyboard, tmp_path: Path) -> None:
    keyboard.read(PROMPT)
    assert "PERSISTENT" in keyboard.press("set con\tper\t\rset\r", "VERBOSE")
    keyboard.read(PROMPT)
    assert "ERSISTEN" in keyboard.press("\x1b[A\x1b[A\r", PROMPT).upper()  # two lines back
    keyboard.press("add volume \\\\nas\\vm\rcreate\r", "listed: 1")
    keyboard.read(PROMPT)
    assert "no such word" in keyboard.press("frob\r", PROMPT)
    keyboard.press("reset\x03", PROMPT)  # the line is abandoned
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nsleep 0.1\necho it ran\n")
    program.chmod(0o755)
    keyboard.press(f"exec {program}\r", "it ran")
    keyboard.read(PROMPT)
    keyboard.press("exit\r", "left: 1")  # it is persistent
    assert keyboard.process.wait() == 0
    history = tmp_path / "fsrvpshadow" / "shell-history"
    assert "set context persistent" in history.read_text()
    assert history.stat().st_mode & 0o77 == 0


def test_the_end_of_the_input_ends_the_session(keyboard: Keyboard) -> None:
    keyboard.read(PROMPT)
    keyboard.press("add volume \\\\nas\\vm\rcreate\r", "listed: 1")
    keyboard.read(PROMPT)
    keyboard.press("\x04", "left: 0")
    assert keyboard.process.wait() == 0


def test_a_signal_ends_the_session(keyboard: Keyboard) -> None:
    keyboard.read(PROMPT)
    keyboard.press("add volume \\\\nas\\vm\rcreate\r", "listed: 1")
    keyboard.read(PROMPT)
    keyboard.process.send_signal(signal.SIGTERM)
    keyboard.read("left: 0")
    assert keyboard.process.wait() == 128 + signal.SIGTERM


# C code raises the signal when the prompt is shown, after Python has looked for signals.
JUST_BEFORE = """
import ctypes, functools, readline, signal
raised = functools.partial(ctypes.CDLL(None)["raise"], signal.SIGTERM)
readline.set_startup_hook(raised)
"""


def test_a_signal_just_before_the_wait_for_a_key_is_seen(tmp_path: Path) -> None:
    keyboard = Keyboard(tmp_path, JUST_BEFORE + SHELL)
    try:
        assert keyboard.process.wait(60) == 128 + signal.SIGTERM
    finally:
        keyboard.close()
