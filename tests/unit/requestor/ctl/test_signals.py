"""Signals during the work and during COMMAND: in a process of their own, which gets them."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fsrvpd.requestor.ctl.signals import Signals
from tests.paths import ROOT

PRELUDE = """
import os, signal, subprocess, sys, threading
from fsrvpd.requestor.ctl.signals import Interrupted, Signals
def say(text):
    print(text, flush=True)
def kill_self():
    os.kill(os.getpid(), int(sys.argv[1]))
"""
NUMBERS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def said(script: str, number: int) -> str:
    """What a script prints that gets the number as its argument."""
    argv = [sys.executable, "-c", PRELUDE + script, str(int(number))]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_interrupts_and_no_other_one_disturbs_the_undoing(number: int) -> None:
    script = """
with Signals() as signals:
    try:
        with signals.interrupting():
            threading.Timer(0.1, kill_self).start()
            try:
                threading.Event().wait(60)
            finally:
                kill_self()
                say("undone")
    except Interrupted as stop:
        say(f"{stop.exit_status} {stop}")
"""
    name = signal.Signals(number).name
    assert said(script, number) == f"undone\n{128 + number} ended by {name}\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_outside_of_the_block_is_noted(number: int) -> None:
    script = """
with Signals() as signals:
    kill_self()
    say("goes on")
    try:
        with signals.interrupting():
            say("not here")
    except Interrupted as stop:
        say(stop.exit_status)
    try:
        signals.run(lambda: subprocess.Popen(["echo", "not started"]))
    except Interrupted as stop:
        say(stop.exit_status)
"""
    assert said(script, number) == f"goes on\n{128 + number}\n{128 + number}\n"


COMMAND = """
import signal, sys
count = []
signal.signal(int(sys.argv[1]), lambda number, frame: count.append(number))
print("ready", flush=True)
while not count:
    signal.pause()
blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
print("count", len(count), "blocked", blocked, flush=True)
sys.exit(7)
"""


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_command_gets_the_signal(number: int, when: str) -> None:
    """At once: before we wait for it."""
    kill = "kill_self()" if when == "at once" else "threading.Timer(0.1, kill_self).start()"
    script = f"""
COMMAND = {COMMAND!r}
with Signals() as signals:
    def start():
        argv = [sys.executable, "-c", COMMAND, sys.argv[1]]
        start.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert start.process.stdout.readline() == b"ready\\n"
        {kill}
        return start.process
    say(signals.run(start))
    say(start.process.stdout.read().decode().strip())
    say(signals.received == int(sys.argv[1]))
"""
    assert said(script, number) == "7\ncount 1 blocked []\nTrue\n"


def test_a_signal_that_another_thread_gets_is_passed_on() -> None:
    script = f"""
COMMAND = {COMMAND!r}
with Signals() as signals:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    def start():
        argv = [sys.executable, "-c", COMMAND, sys.argv[1]]
        start.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert start.process.stdout.readline() == b"ready\\n"
        threading.Timer(0.3, kill_self).start()
        return start.process
    say(signals.run(start))
"""
    assert said(script, signal.SIGTERM) == "7\n"


def test_an_interrupt_at_a_terminal_is_forgotten_and_no_other_signal() -> None:
    with Signals() as signals:
        signal.raise_signal(signal.SIGINT)
        signals.forget_interrupts()
        signals.check()
        assert signals.run(lambda: subprocess.Popen(["sleep", "0.1"])) == 0
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        signals.forget_interrupts()
        assert signals.received == signal.SIGTERM


def test_what_is_ignored_stays_ignored() -> None:
    """As after nohup, and for a job in the background of a shell without job control."""
    script = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with Signals() as signals:
    with signals.interrupting():
        kill_self()
    say(signals.run(lambda: subprocess.Popen(["sh", "-c", "kill -HUP $$; exit 3"])))
"""
    assert said(script, signal.SIGHUP) == "3\n"


def test_everything_is_afterwards_as_it_was() -> None:
    script = """
before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGCHLD)]
with Signals() as signals:
    try:
        signals.run(lambda: subprocess.Popen(["/nonexistent"]))
    except FileNotFoundError as error:
        say(error.strerror)
    say(signals.run(lambda: subprocess.Popen(["sh", "-c", "kill -KILL $$"])))
say(signal.pthread_sigmask(signal.SIG_BLOCK, []))
say([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGCHLD)] == before)
"""
    assert said(script, 0) == "No such file or directory\n-9\nset()\nTrue\n"


def test_a_command_is_not_told_what_its_terminal_has_told_it(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the foreground group: COMMAND gets it from there."""
    log = tmp_path / "log"
    command = f"trap 'echo got >> {log}' INT; echo ready; read line; read line; exit 4"
    script = f"""
with Signals() as signals:
    status = signals.run(lambda: subprocess.Popen(["sh", "-c", {command!r}]))
say(f"status {{status}} {{int(signals.received)}}")
"""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", PRELUDE + script])
    read_until(terminal, "ready")
    os.write(terminal, b"\x03")
    read_until(terminal, "^C")
    os.write(terminal, b"\n\n")
    shown = read_until(terminal, "status 4 2")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.WEXITSTATUS(status) == 0, shown
    assert log.read_text() == "got\n"


def read_until(terminal: int, text: str) -> str:
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 4096).decode()
    return shown


def test_a_command_that_has_stopped_itself_gets_the_signal() -> None:
    script = """
command = ["sh", "-c", "trap 'exit 7' TERM; kill -STOP $$; exit 0"]
with Signals() as signals:
    def start():
        process = subprocess.Popen(command)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        threading.Timer(0, kill_self).start()
        return process
    say(signals.run(start))
"""
    assert said(script, signal.SIGTERM) == "7\n"
