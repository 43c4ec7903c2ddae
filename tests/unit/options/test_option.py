"""Texts of smb.conf become values, or an error that says which values are allowed."""

from __future__ import annotations

from math import inf
from typing import Callable

import pytest

from fsrvpd.errors import ConfigError
from fsrvpd.options import option
from fsrvpd.options.option import Option, full_names

LIMIT = Option("fsrvpd:limit", option.count, "7", "A limit.", "Never.")


def test_an_option_that_is_not_given_has_its_default() -> None:
    assert LIMIT.read({}) == 7
    assert LIMIT.read({"fsrvpd:limit": " 12 "}) == 12


def test_a_value_that_cannot_be_parsed() -> None:
    given = {"fsrvpd:limit": "many"}
    with pytest.raises(ConfigError, match="fsrvpd:limit = many: want a whole number"):
        LIMIT.read(given)
    assert LIMIT.read_or_default(given) == 7


def test_namespaces_become_full_names() -> None:
    assert full_names({"fsrvpd": {"max sets": "5"}, "fss": {}}) == {"fsrvpd:max sets": "5"}


@pytest.mark.parametrize("text", ["Yes", "yes", "true", "1", "On ", " y es"])
def test_a_set_boolean(text: str) -> None:
    assert option.boolean(text)
    assert option.is_yes(text)


@pytest.mark.parametrize("text", ["No", "false", "0", "off", "OFF "])
def test_an_unset_boolean(text: str) -> None:
    assert not option.boolean(text)
    assert not option.is_yes(text)


@pytest.mark.parametrize("text", ["", "maybe", "2", "yes no"])
def test_no_boolean(text: str) -> None:
    with pytest.raises(ValueError, match="want yes or no"):
        option.boolean(text)
    assert not option.is_yes(text)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (option.count, "0", 0),
        (option.percent, "12.5", 12.5),
        (option.percent, "100", 100.0),
        (option.seconds, "1", 1),
        (option.time_limit, "0", inf),
        (option.time_limit, " 50 ", 50),
        (option.command, "", []),
        (option.command, "/bin/snap 'two words' -x", ["/bin/snap", "two words", "-x"]),
        (option.keyword, " Reflink ", "reflink"),
        (option.words, " a, b  c,", ("a", "b", "c")),
        (option.accounts, "", ()),
        (option.accounts, " backup, @ops ", ("backup", "@ops")),
        (option.accounts, '"+two words" LAB\\svc', ("+two words", "LAB\\svc")),
    ],
)
def test_a_value(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "wanted"),
    [
        (option.count, "-1", "want a whole number"),
        (option.count, "", "want a whole number"),
        (option.percent, "101", "from 0 to 100"),
        (option.percent, "nan", "from 0 to 100"),
        (option.percent, "full", "from 0 to 100"),
        (option.seconds, "0", "one or more"),
        (option.time_limit, "soon", "want a whole number"),
        (option.command, "snap", "absolute path"),
        (option.command, "'/bin/snap", "quotation"),
        (option.accounts, "%U", "without macros"),
        (option.accounts, '+"two words"', "quotes around"),
        (option.accounts, '"two words', "quotes around"),
    ],
)
def test_no_value(parse: Callable[[str], object], text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        parse(text)
