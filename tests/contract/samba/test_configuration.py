from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.errors import RegistryError

from .conftest import Site


def test_directories_are_those_of_smb_conf(site: Site) -> None:
    found = site.registry.configuration()
    places = {
        "ncalrpc dir": found.ncalrpc_dir,
        "state directory": found.state_directory,
        "lock directory": found.lock_directory,
        "cache directory": found.cache_directory,
        "pid directory": found.pid_directory,
        "private dir": found.private_dir,
    }
    assert places == {option: str(site.samba.place(option)) for option in places}
    assert found.config_file == str(site.samba.conf)
    assert found.log_file == str(site.samba.log)


def test_identity(site: Site) -> None:
    site.samba.set_option("netbios aliases", "OTHER NAMES")
    found = site.registry.configuration()
    assert (found.netbios_name, found.workgroup) == ("LAB", "LABGROUP")
    assert found.netbios_aliases == ("OTHER", "NAMES")
    assert found.server_role == "ROLE_STANDALONE"
    assert found.interfaces == (f"{site.samba.address}/8",)
    assert found.registry_shares
    assert not found.clustering
    assert found.samba_version in site.lab.run(["smbd", "-V"]).stdout


def test_our_options_come_with_unknown_ones(site: Site) -> None:
    site.samba.set_option("fsrvpd:max sets", "5")
    site.samba.set_option("fss: Sequence Timeout", "9")
    site.samba.set_option("fsrvpd:no such option", "x y")
    options = site.registry.configuration().options
    assert options["fsrvpd"] == {"max sets": "5", "no such option": "x y"}
    assert options["fss"] == {"sequence timeout": "9"}


def test_overrides_stand_before_the_file(site: Site) -> None:
    site.samba.set_option("fsrvpd:max sets", "5")
    overrides = [("fsrvpd:max sets", "7"), ("netbios name", "ELSEWHERE"), ("log level", "0")]
    registry = site.new_registry("overridden", overrides=overrides)
    for _ in range(2):
        found = registry.configuration()
        assert found.options["fsrvpd"]["max sets"] == "7"
        assert found.netbios_name == "ELSEWHERE"
        site.samba.set_option("comment", "loaded anew")
    registry.hang_up()


def test_option_in_an_included_file_that_appears_later(site: Site) -> None:
    included = site.lab.directory / "included.conf"
    site.samba.set_option("include", str(included))
    assert "parallel sets" not in site.registry.configuration().options["fsrvpd"]
    included.write_text("fsrvpd:parallel sets = no\n")
    assert site.registry.configuration().options["fsrvpd"]["parallel sets"] == "no"
    included.write_text("fsrvpd:parallel sets = maybe\n")
    assert site.registry.configuration().options["fsrvpd"]["parallel sets"] == "maybe"
    site.samba.set_option("include", None)


def test_globals_of_the_registry(site: Site) -> None:
    site.samba.set_option("include", "registry")
    site.samba.net("conf", "setparm", "global", "fsrvpd:owner name", "Node 7")
    assert site.registry.configuration().options["fsrvpd"]["owner name"] == "Node 7"
    site.samba.net("conf", "setparm", "global", "fsrvpd:owner name", "Node 8")
    assert site.registry.configuration().options["fsrvpd"]["owner name"] == "Node 8"
    site.samba.set_option("include", None)


def test_config_file_leads_to_another_file(site: Site) -> None:
    other = site.lab.directory / "other.conf"
    other.write_text(site.samba.conf.read_text() + "\n[elsewhere]\n\tpath = /\n")
    site.samba.set_option("config file", str(other))
    assert site.registry.configuration().config_file == str(other)
    assert site.registry.share("elsewhere") is not None
    site.samba.set_option("config file", None)
    assert site.registry.share("elsewhere") is None


def test_a_missing_file_is_said_and_overcome(site: Site) -> None:
    content = site.samba.conf.read_text()
    site.samba.conf.unlink()
    with pytest.raises(RegistryError, match="testparm"):
        site.registry.configuration()
    site.samba.conf.write_text(content)
    assert site.registry.configuration().netbios_name == "LAB"


@pytest.mark.parametrize("level", ["3", "10"])
def test_a_high_log_level_costs_nothing_but_itself(site: Site, level: str) -> None:
    site.samba.set_option("log level", level)
    found: Any = site.registry.configuration()
    assert found.log_level == level
    assert "samba:" not in site.registry.log.read_text()
