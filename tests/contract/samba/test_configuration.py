from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.errors import RegistryError

from .conftest import Nas


def test_directories_are_those_of_smb_conf(nas: Nas) -> None:
    found = nas.registry.configuration()
    places = {
        "ncalrpc dir": found.ncalrpc_dir,
        "state directory": found.state_directory,
        "lock directory": found.lock_directory,
        "cache directory": found.cache_directory,
        "pid directory": found.pid_directory,
        "private dir": found.private_dir,
    }
    assert places == {option: str(nas.samba.place(option)) for option in places}
    assert found.config_file == str(nas.samba.conf)
    assert found.log_file == str(nas.samba.log)


def test_identity(nas: Nas) -> None:
    nas.samba.set_option("netbios aliases", "OTHER NAMES")
    found = nas.registry.configuration()
    assert (found.netbios_name, found.workgroup) == ("LAB", "LABGROUP")
    assert found.netbios_aliases == ("OTHER", "NAMES")
    assert found.server_role == "ROLE_STANDALONE"
    assert found.interfaces == (f"{nas.samba.address}/8",)
    assert found.registry_shares
    assert not found.clustering
    assert found.samba_version in nas.lab.run(["smbd", "-V"]).stdout


def test_our_options_come_with_unknown_ones(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:max sets", "5")
    nas.samba.set_option("fss: Sequence Timeout", "9")
    nas.samba.set_option("fsrvpd:no such option", "x y")
    options = nas.registry.configuration().options
    assert options["fsrvpd"] == {"max sets": "5", "no such option": "x y"}
    assert options["fss"] == {"sequence timeout": "9"}


def test_overrides_stand_before_the_file(nas: Nas) -> None:
    nas.samba.set_option("fsrvpd:max sets", "5")
    overrides = [("fsrvpd:max sets", "7"), ("netbios name", "ELSEWHERE"), ("log level", "0")]
    registry = nas.new_registry("overridden", overrides=overrides)
    for _ in range(2):
        found = registry.configuration()
        assert found.options["fsrvpd"]["max sets"] == "7"
        assert found.netbios_name == "ELSEWHERE"
        nas.samba.set_option("comment", "loaded anew")
    registry.hang_up()


def test_option_in_an_included_file_that_appears_later(nas: Nas) -> None:
    included = nas.lab.directory / "included.conf"
    nas.samba.set_option("include", str(included))
    assert "parallel sets" not in nas.registry.configuration().options["fsrvpd"]
    included.write_text("fsrvpd:parallel sets = no\n")
    assert nas.registry.configuration().options["fsrvpd"]["parallel sets"] == "no"
    included.write_text("fsrvpd:parallel sets = maybe\n")
    assert nas.registry.configuration().options["fsrvpd"]["parallel sets"] == "maybe"
    nas.samba.set_option("include", None)


def test_globals_of_the_registry(nas: Nas) -> None:
    nas.samba.set_option("include", "registry")
    nas.samba.net("conf", "setparm", "global", "fsrvpd:owner name", "Node 7")
    assert nas.registry.configuration().options["fsrvpd"]["owner name"] == "Node 7"
    nas.samba.net("conf", "setparm", "global", "fsrvpd:owner name", "Node 8")
    assert nas.registry.configuration().options["fsrvpd"]["owner name"] == "Node 8"
    nas.samba.set_option("include", None)


def test_config_file_leads_to_another_file(nas: Nas) -> None:
    other = nas.lab.directory / "other.conf"
    other.write_text(nas.samba.conf.read_text() + "\n[elsewhere]\n\tpath = /\n")
    nas.samba.set_option("config file", str(other))
    assert nas.registry.configuration().config_file == str(other)
    assert nas.registry.share("elsewhere") is not None
    nas.samba.set_option("config file", None)
    assert nas.registry.share("elsewhere") is None


def test_a_missing_file_is_said_and_overcome(nas: Nas) -> None:
    content = nas.samba.conf.read_text()
    nas.samba.conf.unlink()
    with pytest.raises(RegistryError, match="testparm"):
        nas.registry.configuration()
    nas.samba.conf.write_text(content)
    assert nas.registry.configuration().netbios_name == "LAB"


@pytest.mark.parametrize("level", ["3", "10"])
def test_a_high_log_level_costs_nothing_but_itself(nas: Nas, level: str) -> None:
    nas.samba.set_option("log level", level)
    found: Any = nas.registry.configuration()
    assert found.log_level == level
    assert "samba:" not in nas.registry.log.read_text()
