"""Queries of the checks to the system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional

import pytest

from fsrvpd.ctl.doctor.environment import install_hint, output_of
from tests.unit.ctl.doctor.examples import environment


def test_accounts_of_a_member_are_the_domains() -> None:
    assert not environment().is_member
    assert environment().account_domain == "NAS"
    member = environment(server_role="ROLE_DOMAIN_MEMBER")
    assert member.is_member
    assert member.account_domain == "LAB"


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("Server time offset: -3\nLDAP port: 389\n", -3),
        ("Server time offset : 3\n", 3),
        ("LDAP port: 389\n", None),
        ("Server time offset: unknown\n", None),
    ],
)
def test_numbers_that_net_prints(printed: str, value: Optional[int]) -> None:
    about = environment(printed={"net ads info": printed})
    assert about.net_value("Server time offset", "ads", "info") == value
    assert about.net("ads", "testjoin") is None


def test_output_of_a_command() -> None:
    assert output_of("echo", "two", "words") == "two words"
    assert output_of("false") is None
    assert output_of("there-is-no-such-command") is None


@pytest.mark.parametrize(
    ("installed", "expected"), [("dnf", "dnf"), ("zypper", "zypper"), ("", "apt")]
)
def test_how_a_package_is_installed(
    installed: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == installed else None)
    assert install_hint("winbind") == f"{expected} install winbind"


def test_commands_for_a_controller_of_an_active_directory() -> None:
    controller = environment(server_role="ROLE_ACTIVE_DIRECTORY_DC")
    assert controller.start("smbd") == "systemctl enable --now samba-ad-dc"
    assert environment().start("smbd") == "systemctl enable --now smbd"
    assert controller.grant("LAB\\b") == "samba-tool group addmembers 'Backup Operators' b"
