"""[global], as Samba prints it, becomes typed."""

from __future__ import annotations

import pytest

from fsrvpd.errors import RegistryError
from samba_hooks.configuration import ROLE_STANDALONE, configuration

PRINTED = {
    **dict.fromkeys(
        (
            *("ncalrpc dir", "state directory", "lock directory", "cache directory"),
            *("pid directory", "private dir"),
        ),
        "/var/lib/samba",
    ),
    **dict.fromkeys(("log level", "realm"), ""),
    "log file": '"/var/log/samba/log of %m"',
    "netbios name": "NAS",
    "netbios aliases": 'FILES, "BIG BOX"',
    "additional dns hostnames": "files.example.net",
    "workgroup": "OFFICE",
    "interfaces": "lo eth0",
    "registry shares": "Yes",
    "clustering": "No",
    "config backend": "file",
    "fsrvpd:max sets": "5",
    "fss:sequence timeout": "1",
    "fsrvp:keep": "yes",
    "other:option": "x",
}


def test_lists_booleans_and_options() -> None:
    found = configuration(
        PRINTED, config_file="/smb.conf", samba_version="4.17.12", server_role=ROLE_STANDALONE
    )
    assert found.netbios_aliases == ("FILES", "BIG BOX")
    assert found.dns_names == ("files.example.net",)
    assert found.interfaces == ("lo", "eth0")
    assert found.log_file == "/var/log/samba/log of %m"
    assert found.registry_shares
    assert not found.clustering
    assert found.options == {
        "fsrvpd": {"max sets": "5"},
        "fss": {"sequence timeout": "1"},
        "fsrvp": {"keep": "yes"},
    }
    assert found.parameters["other:option"] == "x"
    assert (found.config_file, found.server_role) == ("/smb.conf", "ROLE_STANDALONE")


@pytest.mark.parametrize("path", ["samba", '"/var/lib/samba"', ""])
def test_a_directory_is_an_absolute_path(path: str) -> None:
    given = {**PRINTED, "state directory": path}
    with pytest.raises(RegistryError, match=f"`state directory = {path}` is not an absolute path"):
        configuration(given, config_file="/c", samba_version="4", server_role=ROLE_STANDALONE)
