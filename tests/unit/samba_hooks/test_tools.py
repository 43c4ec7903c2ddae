"""Samba's command line tools: their arguments and environment, and their failures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.tools import SambaTools


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tool that prints its arguments and its environment."""
    path = tmp_path / "tool"
    write(path, 'echo "$0 $*"; echo "$TZ $LC_ALL $SEEN"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", "by tools")
    return path


def write(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_tool_reads_the_same_configuration(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tool.parent)
    printed = SambaTools("smb.conf", [("log level", "3")], 30).run("tool", "-x", "two words")
    options = f"--configfile={tool.parent}/smb.conf --option=log level=3"
    assert printed == f"{tool} {options} -x two words\nUTC0 C by tools\n"


def test_without_a_file_samba_takes_its_own(tool: Path) -> None:
    assert SambaTools(None, [], 30).run("tool").startswith(f"{tool} \n")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo shown; echo why >&2; exit 1", "tool -x: why"),
        ("echo shown; exit 1", "tool -x: shown"),
        ("exit 7", "tool -x: exit status 7"),
        ("sleep 1000", "tool -x: tool timed out after 0.2 s"),
    ],
)
def test_a_failure(tool: Path, script: str, why: str) -> None:
    write(tool, script)
    with pytest.raises(RegistryError, match=f"^{why}$"):
        SambaTools(None, [], 0.2 if "sleep" in script else 30).run("tool", "-x")


def test_a_secret_is_not_in_the_error(tool: Path) -> None:
    write(tool, "echo hash; exit 1")
    with pytest.raises(RegistryError, match=r"^tool: exit status 1$"):
        SambaTools(None, [], 30).run("tool", secret=True)


def test_a_tool_that_is_not_installed() -> None:
    with pytest.raises(RegistryError, match="no-such-tool is not installed; install Samba's"):
        SambaTools(None, [], 30).run("no-such-tool")


def test_the_log_directory_of_the_build(tool: Path) -> None:
    write(tool.with_name("smbd"), "echo '   LOGFILEBASE: /var/log/samba'")
    assert SambaTools(None, [], 30).log_directory() == "/var/log/samba"
    write(tool.with_name("smbd"), "echo 'Version 4.17.12-Debian'")
    assert SambaTools(None, [], 30).version() == "4.17.12-Debian"
    with pytest.raises(RegistryError, match="shows no LOGFILEBASE"):
        SambaTools(None, [], 30).log_directory()
