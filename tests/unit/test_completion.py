"""Completion while a user types, in bash and in zsh."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.paths import ROOT

SCRIPTS = ROOT / "packaging/completion"
SET = "{0E5C6C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
SETS = f'[\n  {{\n    "set": "{SET}",\n    "status": "Recovered"\n  }}\n]'
SHARES = f"[global]\n\tworkgroup = X\n[data]\n\tpath = /srv\n[data@{SET}]\n\tpath = /x\n"
EXPECTED = {
    "fsrvpctl fsrvpd list-se": "list-sets",
    "fsrvpctl doctor --no": "--no-self-test",
    "fsrvpctl fsrvpd show-set ": SET,
    "fsrvpctl fsrvpd --json delete-set ": SET,
    "fsrvpctl fsrvpd delete-kept ": SET,
    "fsrvpctl fsrvpd check-path d": "data",
    "fsrvpctl -s /etc/passwd share-config ": "data",
    "fsrvpctl doctor --share ": "data",
    "fsrvpctl fsrvpd history --share d": "data",
    "fsrvpctl unset-option --share d": "data",
    "fsrvpctl -s /etc/passw": "/etc/passwd",
    "fsrvpd --for": "--foreground",
    "fsrvp-snap cre": "create",
    "fsrvp-snap check /etc/passw": "/etc/passwd",
    "fsrvpshadow cr": "create",
    "fsrvpshadow create --exp": "--export-env",
    "fsrvpshadow run --enc": "--encrypt",
    "fsrvpshadow run -c ni": "nightly",
    "fsrvpshadow delete --set ": SET,
    "fsrvpshadow -A /etc/passw": "/etc/passwd",
}


@pytest.fixture
def commands(tmp_path: Path) -> str:
    """A PATH with programs that answer, in a directory that has a configuration as well."""
    (tmp_path / "fsrvpshadow.toml").write_text("[job.nightly]\nrun = ['x']\n[job.other]\n")
    line = f'{{"set": "{SET}", "state": "Recovered"}}'
    for name, text in (("fsrvpctl", SETS), ("testparm", SHARES), ("fsrvpshadow", line)):
        (tmp_path / f"{name}.txt").write_text(text)
        (tmp_path / name).write_text(f"#!/bin/sh\ncat {tmp_path}/{name}.txt\n")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


@pytest.mark.parametrize("typed", EXPECTED)
def test_bash_completes(typed: str, commands: str) -> None:
    found = in_bash(typed, commands)
    assert EXPECTED[typed] in found
    assert f"data@{SET}" not in found


def test_both_complete_an_option_with_blanks(commands: str) -> None:
    assert "fsrvp:keep\\ last" in in_bash("fsrvpctl set-option fsrvp", commands)
    shown = in_zsh("fsrvpctl set-option fsrvpd:para", commands)
    assert "set-option fsrvpd:parallel sets" in shown.replace("\\", "")


@pytest.mark.parametrize("typed", ["fsrvpctl fsrvpd show-set ", "fsrvpctl fsrvpd check-path "])
def test_a_user_who_may_not_ask_gets_nothing(typed: str, commands: str) -> None:
    for name in ("fsrvpctl", "testparm"):
        failing = "#!/bin/sh\necho 'you are not root' >&2\nexit 1\n"
        (Path(commands.partition(":")[0]) / name).write_text(failing)
    assert [word for word in in_bash(typed, commands) if word and not word.startswith("-")] == []


@pytest.mark.parametrize("typed", ["", "$", "\\$\\("])
def test_bash_executes_no_name_of_a_share(typed: str, commands: str, tmp_path: Path) -> None:
    name = share_that_is_a_command(tmp_path)
    quoted = re.sub(r"[$()>]", r"\\\g<0>", name)
    found = in_bash(f"fsrvpctl fsrvpd check-path {typed}", commands)
    assert not (tmp_path / "ran").exists()
    assert found == [quoted]


def test_zsh_executes_no_name_of_a_share(commands: str, tmp_path: Path) -> None:
    name = share_that_is_a_command(tmp_path)
    shown = in_zsh("fsrvpctl fsrvpd check-path ", commands)
    assert f"check-path {name}" in "".join(shown.split("\\"))
    assert "\\$\\(id" in shown, "quoted, for Enter would execute it"
    assert not (tmp_path / "ran").exists()


def share_that_is_a_command(directory: Path) -> str:
    """The only share that the testparm there prints, by its name."""
    name = f"$(id>{directory}/ran)"
    (directory / "testparm.txt").write_text(f"[{name}]\n\tpath = /srv\n")
    return name


def in_bash(typed: str, commands: str) -> list[str]:
    program = typed.split()[0]
    script = f"""
        source {SCRIPTS}/bash/{program}
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _shtab_{program.replace("-", "_")}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    argv = ["bash", "-c", script, "bash", *typed.split(" ")]
    environment = {"PATH": commands, "XDG_CONFIG_HOME": commands.partition(":")[0]}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("typed", EXPECTED)
def test_zsh_completes(typed: str, commands: str) -> None:
    # zsh puts a backslash before what means something to it.
    shown = "".join(in_zsh(typed, commands).split("\\"))
    assert f"{typed.rpartition(' ')[0]} {EXPECTED[typed]}" in shown


def in_zsh(typed: str, path: str) -> str:
    """What a terminal shows after a line is typed and completed."""
    child, terminal = pty.fork()
    if child == 0:
        environment = {"PATH": path, "TERM": "dumb", "ZDOTDIR": "/nonexistent", "COLUMNS": "200"}
        environment["XDG_CONFIG_HOME"] = path.partition(":")[0]
        try:
            os.execve("/usr/bin/zsh", ["zsh", "-f", "-i"], environment)
        finally:
            os._exit(127)  # without zsh this would be a second pytest
    try:
        commands = f"fpath=({SCRIPTS}/zsh $fpath); autoload -Uz compinit; compinit -u -D"
        os.write(terminal, f"{commands}; PS1=rea''dy:\n".encode())
        read_until(terminal, "ready:")
        os.write(terminal, f"{typed}\t# done".encode())
        return read_until(terminal, "# done")
    finally:
        os.close(terminal)  # hangs up
        os.waitpid(child, 0)


def read_until(terminal: int, text: str) -> str:
    shown, limit = "", time.monotonic() + 60
    while text not in shown and time.monotonic() < limit:
        if select.select([terminal], [], [], 1)[0]:
            shown += re.sub(r"\x1b\[[?0-9]*[a-zA-Z]|\x07", "", os.read(terminal, 65536).decode())
    assert text in shown, shown
    return shown
