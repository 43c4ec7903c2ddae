"""Freeze and thaw scripts: their status counts, and they end in time with all they have started."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fsrvpd.requestor.writers.ports import WriterFailed
from fsrvpd.requestor.writers.script import Script, kill_marked
from lab.namespaces import wait_until


def shell(text: str, *words: str) -> Script:
    return Script("app", ["/bin/sh", "-c", text, "sh", *words])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_success() -> None:
    shell("exit 0").run(20)


def test_a_status_is_an_error_with_what_was_printed() -> None:
    with pytest.raises(WriterFailed, match="status 3: out; err") as caught:
        shell("echo out; echo err >&2; exit 3").run(20)
    assert caught.value.object == "writer app"


def test_a_signal() -> None:
    with pytest.raises(WriterFailed, match="signal 15"):
        shell("kill -TERM $$").run(20)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(WriterFailed, match="cannot run /no/such: No such file"):
        Script("app", ["/no/such"]).run(20)


def test_one_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(WriterFailed, match="not ended after 5 s, and was killed"):
        shell('sleep 300 & echo $! > "$1"; wait', str(pid)).run(5)
    child = int(pid.read_text())
    wait_until("the child is gone", lambda: not is_running(child))


def test_others_find_it_by_its_mark(tmp_path: Path) -> None:
    """Whoever thaws for a client that was killed kills it first, with its children."""
    pid = tmp_path / "pid"
    text = 'sleep 300 & echo $! > "$1.new"; mv "$1.new" "$1"; wait'
    script = Script("app", ["/bin/sh", "-c", text, "sh", str(pid)], mark="abc")
    errors: list[WriterFailed] = []

    def run() -> None:
        with pytest.raises(WriterFailed) as caught:
            script.run(300)
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until("it runs", pid.exists)
    child = int(pid.read_text())
    for other in ("", "ab", "abcd"):
        kill_marked(other)
    assert is_running(child)
    kill_marked("abc")
    wait_until("the child is gone", lambda: not is_running(child))
    thread.join(20)
    assert "signal 9" in errors[0].cause


@pytest.mark.parametrize("leaves", ["sleep 300", "setsid sleep 300"])
def test_what_one_with_a_mark_leaves_running_is_not_killed(tmp_path: Path, leaves: str) -> None:
    """Such as a service that it has started, which has a session of its own."""
    pid = tmp_path / "pid"
    argv = ["/bin/sh", "-c", f'{leaves} & echo $! > "$1"', "sh", str(pid)]
    Script("app", argv, mark="abc").run(20)
    child = int(pid.read_text())
    words = Path(f"/proc/{child}/cmdline")
    wait_until("it has its session", lambda: words.read_bytes().startswith(b"sleep"))
    kill_marked("abc")
    assert is_running(child)
    os.kill(child, 9)


@pytest.mark.parametrize("replaced", ["", "exec"])
def test_a_marked_program_gets_its_words_and_its_mark(tmp_path: Path, replaced: str) -> None:
    said = tmp_path / "said"
    text = f'{replaced} env | grep -c "^FSRVPSHADOW_SCRIPT=abc" > "$2"; printf %s "$1" >> "$2"'
    Script("app", ["sh", "-c", text, "sh", "a  $b'*", str(said)], mark="abc").run(20)
    assert said.read_text() == "1\na  $b'*"


def test_a_marked_program_that_may_not_be_run(tmp_path: Path) -> None:
    (tmp_path / "hook").touch(0o644)
    with pytest.raises(WriterFailed, match=r"cannot run .*/hook: Permission denied"):
        Script("app", [str(tmp_path / "hook")], mark="abc").run(20)


@pytest.mark.parametrize("program", ["/no/such", "no-such-program"])
def test_a_marked_program_that_is_not_there(program: str) -> None:
    with pytest.raises(WriterFailed, match=f"cannot run {program}: No such file"):
        Script("app", [program], mark="abc").run(20)


def test_what_it_leaves_running_is_neither_waited_for_nor_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = shell('sleep 300 & echo $! > "$1"', str(pid))
    script.run(20)
    script.stop()
    child = int(pid.read_text())
    try:
        assert is_running(child)
    finally:
        os.kill(child, 9)


def test_another_thread_stops_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = shell('touch "$1"; sleep 300', str(begun))
    errors: list[Exception] = []

    def run() -> None:
        try:
            script.run(60)
        except WriterFailed as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until("it runs", begun.exists)
    script.stop()
    thread.join(20)
    assert "signal 9" in str(errors[0])


def test_one_that_was_stopped_before_is_not_started(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = shell('touch "$1"', str(begun))
    script.stop()
    with pytest.raises(WriterFailed, match="too late"):
        script.run(20)
    assert not begun.exists()
