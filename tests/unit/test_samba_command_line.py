"""What the commands beside Samba share: options, paths and Samba's tools."""

from __future__ import annotations

import argparse
import os
from typing import Any

import pytest

from fsrvpd import samba_command_line
from fsrvpd.command_line import HelpFormatter
from fsrvpd.errors import ConfigError, RegistryError
from samba_hooks.registry import open_registry


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fsrvpd", formatter_class=HelpFormatter)
    samba_command_line.add_samba_arguments(parser)
    return parser.parse_args(argv)


def test_samba_tools_get_the_file_and_the_options() -> None:
    arguments = parsed("-s", "/etc/smb.conf", "--option", "workgroup = LAB", "--option=a=b=c")
    assert samba_command_line.samba_tools(arguments).arguments == [
        "--configfile=/etc/smb.conf",
        "--option=workgroup=LAB",
        "--option=a=b=c",
    ]


@pytest.mark.parametrize("option", ["workgroup", "= LAB", ""])
def test_an_option_without_name_or_value_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=r"--option=.*: must be NAME=VALUE"):
        samba_command_line.samba_tools(parsed(f"--option={option}"))


def test_paths() -> None:
    assert (
        samba_command_line.control_socket("/var/lib/samba")
        == "/var/lib/samba/fsrvpd/control.socket"
    )
    assert samba_command_line.own_keytab("/var/lib/samba") == "/var/lib/samba/fsrvpd/krb5.keytab"
    assert samba_command_line.snap_socket("/run/samba") == "/run/samba/fsrvpd-snap/socket"


@pytest.mark.parametrize(("uid", "hint"), [(0, ""), (1000, " (you are not root: try sudo)")])
def test_the_hint_for_users_other_than_root(
    uid: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert samba_command_line.root_hint() == hint


@pytest.mark.parametrize("level", ["11", "-1", "high", "99999999999999999999"])
def test_a_debug_level_that_samba_does_not_have(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(f"--debuglevel={level}")
    assert "must be a number from 0 to 10" in capsys.readouterr().err
    assert parsed("-d", "10").debuglevel == 10


def test_what_is_wrong_in_smb_conf_is_said_by_samba_s_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """testparm fails without the line, also for a value that only Samba can judge."""

    def fail(*_: Any) -> Any:
        raise RegistryError("testparm: Error loading services.")

    def name_the_line(*_: Any) -> Any:
        raise RegistryError("Samba cannot read /c: /c, line 5")

    monkeypatch.setattr(samba_command_line, "samba_tools", fail)
    monkeypatch.setattr(open_registry, "open_registry", name_the_line)
    with pytest.raises(RegistryError, match="line 5"):
        samba_command_line.samba_parameter(parsed(), "state directory")
