"""Beyond the contract of providers: what an admin's commands may do, and what not."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import Share
from fsrvpd.providers.command import Command
from tests.contract.providers.bed import SHARE
from tests.contract.providers.command_bed import STORE, CommandBed


def script(bed: CommandBed, which: str, text: str) -> None:
    """Put another script in the place of one."""
    Path(shlex.split(bed.options[f"{which} command"])[0]).write_text(f"#!/bin/sh\n{text}\n")


@pytest.fixture
def command(command_bed: CommandBed) -> Iterator[CommandBed]:
    return command_bed


def supported(bed: CommandBed) -> str:
    assert isinstance(bed.provider, Command)
    share = Share(SHARE, str(bed.directory), False, options=bed.options)
    return str(bed.provider.supports_share(share, str(bed.directory)))


def test_arguments_are_those_of_vfs_shell_snap(command: CommandBed, tmp_path: Path) -> None:
    """Whole, whatever is in them: no shell has seen them."""
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


def test_words_of_the_option_stand_before_the_path(command: CommandBed) -> None:
    command.options["check path command"] = (
        "/bin/sh -c 'test \"$1\" = \"two words\"' sh 'two words'"
    )
    assert supported(command) == "None"


def test_what_a_command_is_told_beside_that(command: CommandBed, tmp_path: Path) -> None:
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


def test_a_share_that_the_check_refuses(command: CommandBed) -> None:
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
def test_a_command_that_cannot_be_run(command: CommandBed, command_line: str, why: str) -> None:
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
def test_an_answer_that_cannot_be_true(command: CommandBed, said: str, why: str) -> None:
    """And nothing that was said is deleted then, should it be the share."""
    (command.volume / "link").symlink_to(command.directory)
    answer = said.replace("SHARE", str(command.directory))
    answer = answer.replace("LINK", str(command.volume / "link"))
    script(command, "create", f"echo {shlex.quote(answer)}")
    script(command, "delete", 'test ! -d "$2" || touch "$1/deleted"')
    with pytest.raises(StorageError, match=why):
        command.take()
    assert not (command.directory / "deleted").exists()
    assert command.left_over() == []


def test_only_the_first_line_counts(command: CommandBed) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text() + "echo and more\n")
    assert os.path.isdir(command.take().share_path)


def test_what_a_command_complains_of_is_in_the_log(
    command: CommandBed, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text() + "echo 'the filer is slow today' >&2\n")
    with caplog.at_level(logging.INFO):
        command.take()
    assert "the filer is slow today" in caplog.text


def test_a_command_that_takes_too_long_is_killed_with_its_children(
    command: CommandBed, tmp_path: Path
) -> None:
    command.options["command timeout"] = "1"
    script(command, "create", f"sleep 1000 & echo $! > '{tmp_path}/child'; wait")
    with pytest.raises(StorageError, match="did not end in 1 s"):
        command.take()
    child = int((tmp_path / "child").read_text())
    while Path(f"/proc/{child}/status").exists():
        if "State:\tZ" in Path(f"/proc/{child}/status").read_text():
            break  # killed; whoever is its parent now has not looked yet
        time.sleep(0.05)
    assert command.found() == []


def test_a_command_goes_on_when_the_daemon_dies_and_its_work_is_found(
    command: CommandBed, tmp_path: Path
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


def test_a_command_that_makes_what_cannot_be_written_to(command: CommandBed) -> None:
    path = Path(shlex.split(command.options["create command"])[0])
    path.write_text(path.read_text().replace("snapshot", "snapshot -r"))
    (command.directory / "file").write_text("content")
    share = Path(command.take().share_path)
    assert (share / "file").read_text() == "content"
    with pytest.raises(StorageError, match="auto-recovery"):
        command.take(command.request(writable=True))
    assert len(command.found()) == 1


def test_it_is_read_only_whatever_the_command_made(command: CommandBed) -> None:
    plain, writable = command.take(), command.take(command.request(writable=True))
    command.provider.seal(writable)
    for snapshot in (plain, writable):
        with pytest.raises(OSError, match="Read-only"):
            (Path(snapshot.share_path) / "file").touch()


def test_that_a_delete_command_fails_is_told(command: CommandBed) -> None:
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


def test_what_somebody_else_deleted_is_gone(command: CommandBed) -> None:
    snapshot = command.take()
    os.rename(command.volume / STORE, command.volume / "away")
    (command.volume / STORE).mkdir()
    command.provider.delete(snapshot)
    assert command.found() == []


def test_a_share_that_is_gone_has_the_commands_of_global(
    command: CommandBed, mounts: LiveMounts, tmp_path: Path
) -> None:
    snapshot = command.take()
    place = str(tmp_path / "run")
    nothing = Command(mounts, lambda share: {}, str(tmp_path), place)
    with pytest.raises(StorageError, match=r"nor in \[global\]"):
        nothing.delete(snapshot)
    command.provider.delete(snapshot)
    assert command.left_over() == []


def test_a_record_of_another_volume_leads_nowhere(command: CommandBed) -> None:
    snapshot = command.take()
    with pytest.raises(NotOurs):
        command.provider.delete(snapshot._replace(volume_name="command:other"))
    assert len(command.found()) == 1
