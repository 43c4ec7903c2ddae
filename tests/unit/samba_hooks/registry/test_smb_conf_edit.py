"""One parameter of smb.conf changes, and no other byte of the file."""

from __future__ import annotations

import pytest

from samba_hooks.registry.smb_conf_edit import is_read_as, with_parameter, without_parameter
from samba_hooks.registry.smb_conf_places import Place, places

CONF = """# mine
[global]
    workgroup = X
; a comment \\
[data]
\tpath = /srv
\tfsrvp:Keep = no

# of the other
[other]
path = /o
"""


def of(text: str, section: str) -> list[Place]:
    return [place for place in places("/smb.conf", text, str) if place.section == section]


def set_(text: str, section: str, name: str = "fsrvp:keep", value: str = "yes") -> str:
    return with_parameter(text, of(text, section), name, value)


def test_a_line_is_replaced_where_it_is() -> None:
    assert set_(CONF, "data") == CONF.replace("\tfsrvp:Keep = no", "\tfsrvp:keep = yes")


def test_a_new_line_follows_the_last_parameter() -> None:
    assert set_(CONF, "global") == CONF.replace("X\n", "X\n    fsrvp:keep = yes\n")
    assert set_(CONF, "other") == CONF + "fsrvp:keep = yes\n"
    assert set_("[data]", "data") == "[data]\n\tfsrvp:keep = yes"


def test_a_line_that_goes_on_is_one() -> None:
    text = "[data]\r\n  fsrvp:backup users = a \\\r\n\tb \\\r\n c\r\n  path = /\r\n"
    assert set_(text, "data", "fsrvp:backup users", "d") == (
        "[data]\r\n  fsrvp:backup users = d\r\n  path = /\r\n"
    )
    assert without_parameter(text, of(text, "data"), "fsrvp:BackupUsers") == (
        "[data]\r\n  path = /\r\n"
    )


def test_a_file_without_a_last_line_end() -> None:
    assert set_("[data]\r\npath = /", "data") == "[data]\r\npath = /\r\nfsrvp:keep = yes"
    text = "[data]\n\tfsrvp:keep = no"
    assert set_(text, "data") == "[data]\n\tfsrvp:keep = yes"
    assert without_parameter(text, of(text, "data"), "fsrvp:keep") == "[data]"


def test_of_two_sections_the_last_counts_for_a_share_and_any_for_global() -> None:
    text = "[a]\nfsrvp:keep = no\n[global]\n[A ]\npath = /\n[globals]\nfsrvp:keep = no\n"
    assert set_(text, "a") == text.replace("path = /\n", "path = /\nfsrvp:keep = yes\n")
    assert set_(text, "global") == text[:-3] + "yes\n"
    assert without_parameter(text, of(text, "a"), "fsrvp:keep") == text.replace(
        "[a]\nfsrvp:keep = no\n", "[a]\n"
    )


def test_a_new_line_comes_before_an_include() -> None:
    """Behind it another section may have begun."""
    text = "[data]\npath = /\ninclude = /nowhere\ncomment = x\n"
    assert set_(text, "data") == text.replace("path = /\n", "path = /\nfsrvp:keep = yes\n")


@pytest.mark.parametrize(
    ("value", "same"),
    [
        *[("a b", True), ("", True), ("# x", True), ("[x]", True), ("a = b", True)],
        *[("a  b", False), (" a", False), ("a ", False), ("a\\", False), ("a\nb", False)],
        *[("a\\ ", False), ("a\tb", True), ("\udcff", True), ("\\a", True)],
    ],
)
def test_what_samba_reads_of_a_value(value: str, same: bool) -> None:
    assert is_read_as("fsrvp:Create Command", value) == same
