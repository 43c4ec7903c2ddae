"""Which option a name means, and which values it can have."""

from __future__ import annotations

from typing import Any

import pytest

from fsrvpd.config.daemon_options import GLOBAL_OPTIONS, MAX_SETS, SERVE_PIPE
from fsrvpd.ctl.set_option.known import option_named, require_value, same_value
from fsrvpd.errors import ConfigError
from fsrvpd.options.option import Option
from fsrvpd.options.share import CREATE_COMMAND, KEEP, PROVIDER, SHARE_OPTIONS


@pytest.mark.parametrize("option", [*GLOBAL_OPTIONS, *SHARE_OPTIONS], ids=lambda each: each.name)
def test_case_and_blanks_do_not_matter(option: Option[Any]) -> None:
    assert option_named(option.name.upper().replace(" ", ""), of_share=False) is option
    require_value(option, option.default)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("fsrvpd:keep", "did you mean fsrvp:keep"),
        ("keep-last", "did you mean fsrvp:keep last"),
        ("fsrvp:max set", "did you mean fsrvpd:max sets"),
        ("log level", "fsrvpd.conf-options(5) lists them"),
    ],
)
def test_a_wrong_name_names_similar_ones(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        option_named(name, of_share=False)
    assert meant in str(caught.value)


def test_an_option_of_the_server_is_none_of_a_share() -> None:
    assert option_named("fsrvp:keep", of_share=True) is KEEP
    with pytest.raises(ConfigError, match="is an option of the server, not of a share"):
        option_named("fsrvpd:max sets", of_share=True)


def test_values() -> None:
    require_value(PROVIDER, "zfs")
    for option, value in ((MAX_SETS, "-1"), (PROVIDER, "none"), (KEEP, "yes\0")):
        with pytest.raises(ConfigError, match=option.name):
            require_value(option, value)


def test_what_samba_reads_is_compared_by_its_meaning() -> None:
    assert same_value(KEEP, "On", "yes")
    assert same_value(CREATE_COMMAND, "/x 'a b'", '/x "a b"')
    assert not same_value(KEEP, None, "no")
    assert not same_value(SERVE_PIPE, "yes", "no")
