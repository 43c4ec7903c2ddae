"""Options of smb.conf are read as documented, and refused by name."""

from __future__ import annotations

import pytest

from fsrvpd.config import daemon_options
from fsrvpd.errors import ConfigError
from fsrvpd.options.share import SHARE_OPTIONS
from fsrvpd.protocol.settings import CURRENT, WS2012
from fsrvpd.rpc.security.requirement import RequiredProtection


def test_defaults_are_those_of_the_document() -> None:
    settings = daemon_options.read({}, "NAS")
    assert settings.agent.owner_machine_name == "NAS"
    assert settings.agent.dialect is CURRENT
    assert settings.agent.sequence_timeout is None
    assert settings.agent.parallel_sets
    assert settings.host_names == ()
    assert settings.requirement == RequiredProtection(integrity=True, privacy=False)


def test_every_option_has_a_default_that_can_be_read() -> None:
    for option in (*daemon_options.GLOBAL_OPTIONS, *SHARE_OPTIONS):
        option.read({})
        assert option.meaning.endswith(".")


def test_values_are_taken() -> None:
    given = {
        "fsrvpd:dialect": "WS2012",
        "fss:sequence timeout": "1",
        "fsrvpd:parallel sets": "No",
        "fsrvpd:owner name": "node1",
        "fsrvpd:require rpc integrity": "no",
        "fsrvpd:require rpc privacy": "yes",
        "fsrvpd:additional host names": "files, 192.0.2.7",
    }
    settings = daemon_options.read(given, "NAS")
    assert settings.agent.dialect is WS2012
    assert settings.agent.sequence_timeout == 1
    assert not settings.agent.parallel_sets
    assert settings.agent.owner_machine_name == "node1"
    assert settings.host_names == ("files", "192.0.2.7")
    assert settings.requirement == RequiredProtection(integrity=False, privacy=True)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("fsrvpd:dialect", "ws2013", "want one of current, ws2012"),
        ("fss:sequence timeout", "-1", "want a whole number"),
        ("fsrvpd:max sets", "many", "want a whole number"),
        ("fsrvpd:parallel sets", "maybe", "want yes or no"),
    ],
)
def test_a_bad_value_is_named_with_what_is_wanted(name: str, value: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted) as refused:
        daemon_options.read({name: value}, "NAS")
    assert f"{name} = {value}" in str(refused.value)


def test_an_unknown_option_is_told_with_its_neighbour() -> None:
    [warning] = daemon_options.unknown({"fsrvpd:dialekt": "current", "fsrvpd:dialect": "current"})
    assert warning == "fsrvpd:dialekt: no such option; did you mean fsrvpd:dialect?"
    [warning] = daemon_options.unknown({"fsrvpd:keep last": "2"})
    assert warning == "fsrvpd:keep last: no such option; did you mean fsrvp:keep last?"


def test_an_unknown_option_that_is_like_none() -> None:
    """The namespace, which all names share, makes nothing alike."""
    assert daemon_options.unknown({"fsrvpd:nosuch": "1"}) == ["fsrvpd:nosuch: no such option"]


def test_options_of_shares_and_of_sambas_agent_are_no_strangers() -> None:
    assert daemon_options.unknown({"fsrvp:keep": "yes", "fss:prune stale": "yes"}) == []
