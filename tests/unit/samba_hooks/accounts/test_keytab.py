"""Which keytab is used, and how `net` is called to make it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.errors import AuthenticationError
from samba_hooks.accounts import keytab
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.tools import SambaTools

TOOLS = SambaTools(None, [], 30)


def configuration(**changes: Any) -> SambaConfiguration:
    facts: dict[str, Any] = dict.fromkeys(SambaConfiguration._fields, "")
    facts.update(
        samba_version="4.17.12-Debian",
        server_role="ROLE_DOMAIN_MEMBER",
        realm="LAB.EXAMPLE",
        private_dir="/nowhere",
        parameters={"kerberos method": "default", "dedicated keytab file": ""},
    )
    return SambaConfiguration(**{**facts, **changes})


def test_only_a_member_has_one() -> None:
    assert keytab.make(configuration(), TOOLS, "/k") is not None
    assert keytab.make(configuration(server_role="ROLE_STANDALONE"), TOOLS, "/k") is None
    assert keytab.make(configuration(realm=""), TOOLS, "/k") is None


def test_a_controller_has_its_keys_in_a_keytab() -> None:
    controller = configuration(server_role="ROLE_ACTIVE_DIRECTORY_DC")
    assert keytab.is_used(controller)
    assert keytab.kept_by_others(controller) == "/nowhere/secrets.keytab"
    assert keytab.make(controller, TOOLS, "/k") is None


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("default", "/etc/krb5.keytab", None),
        ("secrets and keytab", "/etc/krb5.keytab", None),
        ("dedicated keytab", "", None),
        ("dedicated keytab", "/etc/krb5.keytab", "/etc/krb5.keytab"),
    ],
)
def test_dedicated_keytab_is_taken(method: str, path: str, expected: Any) -> None:
    parameters = {"kerberos method": method, "dedicated keytab file": path}
    assert keytab.kept_by_others(configuration(parameters=parameters)) == expected


@pytest.mark.parametrize("version", ["4.13.13-Debian", "4.17.12-Debian", "4.20.8"])
def test_net_is_told_as_before_4_21(version: str) -> None:
    assert "--option=dedicated keytab file=/k" in keytab._options(version, "/k")


@pytest.mark.parametrize("version", ["4.21.0", "4.22.4-Debian", "5.0.1"])
def test_net_is_told_as_from_4_21_on(version: str) -> None:
    [option] = keytab._options(version, "/k")
    assert option.startswith('--option=sync machine password to keytab="/k:account_name:')


def test_failure_names_the_next_step(tmp_path: Path) -> None:
    tools = SambaTools(str(tmp_path / "none.conf"), [], 30)
    made = keytab.make(configuration(), tools, str(tmp_path / "k"))
    assert made is not None
    with pytest.raises(AuthenticationError, match="is this server joined"):
        made.export()
    assert not made.is_current()


def entry(short: int, long: bytes = b"", spare: bytes = b"") -> bytes:
    """host/nas@LAB as MIT writes it: realm, components, type, time, version, key, version."""
    names = b"".join(struct.pack(">H", len(n)) + n for n in (b"LAB", b"host", b"nas"))
    key = struct.pack(">HH", 18, 4) + b"\xff" * 4
    data = struct.pack(">H", 2) + names + bytes(8) + bytes([short]) + key + long + spare
    return struct.pack(">i", len(data)) + data


HOLE = struct.pack(">i", -6) + b"\xff" * 6


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (entry(3), {3}),
        (entry(3, bytes(4)), {3}),
        (entry(44, struct.pack(">I", 300)), {300}),
        (entry(3, struct.pack(">I", 3), bytes(9)), {3}),
        (entry(1) + HOLE + entry(2), {1, 2}),
        (entry(1) + bytes(8), {1}),
    ],
)
def test_versions_of_the_keys_in_a_keytab(
    entries: bytes, expected: set[int], tmp_path: Path
) -> None:
    path = tmp_path / "krb5.keytab"
    path.write_bytes(b"\x05\x02" + entries)
    assert keytab.key_versions(str(path)) == expected


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a keytab"),
        (b"\x05\x01" + entry(1), "not a keytab"),
        (b"\x05\x02", "contains no key"),
        (b"\x05\x02" + entry(1)[:-2], "damaged"),
        (b"\x05\x02" + struct.pack(">i", 5) + b"\0\1\0\0\0", "damaged"),
        (b"\x05\x02\0\0", "damaged"),
    ],
)
def test_what_is_no_keytab_is_said(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "krb5.keytab"
    path.write_bytes(content)
    with pytest.raises(AuthenticationError, match=why):
        keytab.key_versions(str(path))
