"""Beyond the contract of providers: what an admin's commands may and may not do."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Share
from fsrvpd.providers.command.provider import Command
from tests.contract.providers.command_harness import STORE, CommandHarness
from tests.contract.providers.harness import SHARE


def script(harness: CommandHarness, which: str, text: str) -> None:
    """Replace one of the scripts."""
    Path(shlex.split(harness.options[f"{which} command"])[0]).write_text(f"#!/bin/sh\n{text}\n")


@pytest.fixture
def command(command_harness: CommandHarness) -> Iterator[CommandHarness]:
    return command_harness


def supported(harness: CommandHarness) -> str:
    assert isinstance(harness.provider, Command)
    share = Share(SHARE, str(harness.directory), False, options=harness.options)
    return str(harness.provider.supports_share(share, str(harness.directory)))


def test_arguments_are_those_of_vfs_shell_snap(command: CommandHarness, tmp_path: Path) -> None:
    """They arrive unchanged, whatever they contain: no shell interprets them."""
    spy = tmp_path / "seen"
    hostile = command.volume / "$(touch hacked); `touch hacked` & 'x' \"y\" *"
    hostile.mkdir()
    for which in ("check path", "create", "delete"):
        path = Path(shlex.split(command.options[f"{which} command"])[0])
        real = path.with_suffix(".real")
        path.rename(real)
        seen = f"printf '%s\\n' {shlex.quote(which)} $# \"$@\" >> {shlex.quote(str(spy))}"
        path.write_text(f'#!/bin/sh\n{seen}\nexec {shlex.quote(str(real))} "$@"\n')
        path.chmod(0o755)
    share = Share(SHARE, str(hostile), False, options=command.options)
    assert isinstance(command.provider, Command)
    assert command.provider.supports_share(share, str(hostile)) is None
    snapshot = command.take(command.request(hostile))
    command.provider.delete(snapshot)
    check, create, delete = (str(hostile),) * 3
    lines = spy.read_text().splitlines()
    taken = lines[-1]
    assert lines == ["check path", "1", check, "create", "1", create, "delete", "2", delete, taken]
    assert taken.startswith(str(command.volume / STORE))
    assert not list(command.volume.rglob("hacked"))


def test_words_of_the_option_stand_before_the_path(command: CommandHarness) -> None:
    command.options["check path command"] = (
        "/bin/sh -c 'test \"$1\" = \"two words\"' sh 'two words'"
    )
    assert supported(command) == "None"


def test_what_a_command_is_told_beside_that(command: CommandHarness, tmp_path: Path) -> None:
    script(command, "create", f"env > '{tmp_path}/seen'; exit 1")
    request = command.request(writable=True)
    with pytest.raises(StorageError, match="exit status 1"):
        command.take(request)
    seen = (tmp_path / "seen").read_text()
    assert f"FSRVPD_SHARE={SHARE}\n" in seen
    assert "FSRVPD_WRITABLE=yes\n" in seen
    assert f"FSRVPD_SHADOW_COPY={request.shadow_copy_id}\n" in seen
    assert f"FSRVPD_NAME=fsrvp-{request.shadow_copy_id}_GMT-" in seen
    names = {line.partition("=")[0] for line in seen.splitlines()}
    ours = {name for name in names if name.startswith("FSRVPD_")}
    assert names - ours <= {"PATH", "LC_ALL", "PWD", "_", "SHLVL", "OLDPWD"}


def test_a_share_that_the_check_refuses(command: CommandHarness) -> None:
    script(command, "check path", "echo 'not on the filer' >&2; exit 3")
    assert "not on the filer" in supported(command)
    command.options["check path command"] = ""
    assert supported(command) == "None"
    command.options["delete command"] = ""
    assert "fsrvp:delete command is not set" in supported(command)


@pytest.mark.parametrize(
    ("command_line", "why"),
    [("relative.sh", "absolute path"), ("'/bin/true", "quotation"), ("/no/such", "cannot run")],
)
def test_a_command_that_cannot_be_run(command: CommandHarness, command_line: str, why: str) -> None:
    command.options["create command"] = command_line
    with pytest.raises(StorageError, match=why):
        command.take()
    assert command.found() == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "no absolute path"),
        ("relative", "no absolute path"),
        ("/no/such/place", "no directory"),
        ("/etc/passwd", "no directory"),
        ("/", "holds the share"),
        ("SHARE", "is or holds the share"),
        ("SHARE/..", "is or holds the share"),
        ("LINK", "is or holds the share"),
    ],
)
def test_an_answer_that_cannot_be_true(command: CommandHarness, said: str, why: str) -> None:
    """The path printed by the command is not deleted then, since it might be the share."""
    (command.volume / "link").symlink_to(command.directory)
    answer = said.replace("SHARE", str(command.directory))
    answer = answer.replace("LINK", str(command.volume / "link"))
    script(command, "create", f"echo {shlex.quote(answer)}")
    script(command, "delete", 'test ! -d "$2" || touch "$1/deleted"')
    with pytest.raises(StorageError, match=why):
        command.take()
    assert not (command.directory / "deleted").exists()
    assert command.left_over() == []


def test_only_the_first_line_counts(command: CommandHarness) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text() + "echo and more\n")
    assert os.path.isdir(command.take().share_path)


def test_what_a_command_complains_of_is_in_the_log(
    command: CommandHarness, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text() + "echo 'the filer is slow today' >&2\n")
    with caplog.at_level(logging.INFO):
        command.take()
    assert "the filer is slow today" in caplog.text


def test_a_command_that_takes_too_long_is_killed_with_its_children(
    command: CommandHarness, tmp_path: Path
) -> None:
    command.options["command timeout"] = "1"
    script(command, "create", f"sleep 1000 & echo $! > '{tmp_path}/child'; wait")
    with pytest.raises(StorageError, match="timed out after 1 s"):
        command.take()
    child = int((tmp_path / "child").read_text())
    while Path(f"/proc/{child}/status").exists():
        if "State:\tZ" in Path(f"/proc/{child}/status").read_text():
            break  # killed; its new parent has not reaped it yet
        time.sleep(0.05)
    assert command.found() == []


def test_a_command_goes_on_when_the_daemon_dies_and_its_work_is_found(
    command: CommandHarness, tmp_path: Path
) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    text = path.read_text().replace("set -eu", f"set -eu\ntouch '{tmp_path}/begun'\nsleep 1")
    path.write_text(text)
    pid = os.fork()
    if pid == 0:
        try:
            command.take()
        finally:
            os._exit(1)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (found,) = command.found()
    command.provider.delete(found.snapshot)  # waits for the command
    assert command.left_over() == []
    assert command.found() == []


def test_a_command_that_makes_what_cannot_be_written_to(command: CommandHarness) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text().replace("snapshot", "snapshot -r"))
    (command.directory / "file").write_text("content")
    share = Path(command.take().share_path)
    assert (share / "file").read_text() == "content"
    with pytest.raises(StorageError, match="auto-recovery"):
        command.take(command.request(writable=True))
    assert len(command.found()) == 1


def test_it_is_read_only_whatever_the_command_made(command: CommandHarness) -> None:
    plain, writable = command.take(), command.take(command.request(writable=True))
    command.provider.seal(writable)
    for snapshot in (plain, writable):
        with pytest.raises(OSError, match="Read-only"):
            (Path(snapshot.share_path) / "file").touch()


def test_that_a_delete_command_fails_is_told(command: CommandHarness) -> None:
    snapshot = command.take()
    path = Path(shlex.split(command.options["delete command"])[0])
    good = path.read_text()
    script(command, "delete", "echo 'the filer is busy' >&2; exit 1")
    with pytest.raises(StorageError, match="the filer is busy"):
        command.provider.delete(snapshot)
    assert [found.snapshot for found in command.found()] == [snapshot]
    path.write_text(good)
    command.provider.delete(snapshot)
    assert command.left_over() == []


def test_who_looks_into_it_for_a_moment_is_waited_for(command: CommandHarness) -> None:
    snapshot = command.take()
    looks = os.open(snapshot.root, os.O_RDONLY)
    end = threading.Timer(0.3, os.close, [looks])
    end.start()
    command.provider.delete(snapshot)
    end.join()
    assert command.left_over() == []


def test_who_stays_in_it_is_in_the_way(command: CommandHarness) -> None:
    snapshot = command.take()
    stays = os.open(snapshot.root, os.O_RDONLY)
    with pytest.raises(StorageError, match="busy"):
        command.provider.delete(snapshot)
    os.close(stays)
    command.provider.delete(snapshot)
    assert command.left_over() == []


def test_what_somebody_else_deleted_is_gone(command: CommandHarness) -> None:
    snapshot = command.take()
    os.rename(command.volume / STORE, command.volume / "away")
    (command.volume / STORE).mkdir()
    command.provider.delete(snapshot)
    assert command.found() == []


def test_a_share_that_is_gone_has_the_commands_of_global(
    command: CommandHarness, mounts: LiveMounts, tmp_path: Path
) -> None:
    snapshot = command.take()
    mount_root = str(tmp_path / "run")
    nothing = Command(mounts, lambda share: {}, str(tmp_path), mount_root)
    with pytest.raises(StorageError, match=r"nor in \[global\]"):
        nothing.delete(snapshot)
    command.provider.delete(snapshot)
    assert command.left_over() == []


def test_a_record_of_another_volume_leads_nowhere(command: CommandHarness) -> None:
    snapshot = command.take()
    with pytest.raises(NotOurs):
        command.provider.delete(snapshot._replace(volume_name="command:other"))
    assert len(command.found()) == 1


def test_what_another_version_took_is_found_and_left_alone(
    command: CommandHarness, tmp_path: Path
) -> None:
    snapshot = command.take()
    [record] = [path for path in tmp_path.glob("command/*/*") if path.is_symlink()]
    text = os.readlink(record)
    record.unlink()
    record.symlink_to(text.replace('"fsrvpd":2', '"fsrvpd":9,"future":true'))
    [found] = command.found()
    assert (found.snapshot, found.readable) == (snapshot, False)
    for change in (command.provider.delete, command.provider.exists, command.provider.seal):
        with pytest.raises(NotOurs, match="another version of fsrvpd took it"):
            change(snapshot)
    record.unlink()
    record.symlink_to(text)
    command.provider.delete(snapshot)
