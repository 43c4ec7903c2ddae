from __future__ import annotations

import pytest

from fsrvpd.requestor.mount import names


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "x" * 256, "😀" * 128])
def test_what_is_no_component_of_a_path_is_not_used(name: str) -> None:
    assert not names.is_usable(name)


@pytest.mark.parametrize("name", ["...", "x" * 255, "ü" * 255, "\ud800", "a:b", " ", "😀" * 127])
def test_what_is_one_is_used(name: str) -> None:
    assert names.is_usable(name)


@pytest.mark.parametrize("name", ["ADC3FK~7.TXT", "_1ABCD~Z", "AB12CD~0.X"])
def test_a_name_in_the_place_of_another_is_known(name: str) -> None:
    assert names.may_be_mangled(name)


@pytest.mark.parametrize("name", ["backup~1", "PROGRA~10", "letter.txt~", "ADC3FK~7.text"])
def test_other_names_with_a_tilde_are_the_files_own(name: str) -> None:
    assert not names.may_be_mangled(name)


@pytest.mark.parametrize("name", ["a:b", "what?", "end.", "blank ", "tab\t", "a|b"])
def test_names_that_windows_cannot_have(name: str) -> None:
    assert names.is_beyond_windows(name)
    assert not names.is_beyond_windows("plain name.txt")


def test_links_are_told_from_other_reparse_points() -> None:
    symlink, mount_point, dedup = 0xA000000C, 0xA0000003, 0x80000013
    assert names.is_link(0x400, symlink)
    assert names.is_link(0x410, mount_point)
    assert not names.is_link(0x420, dedup)
    assert not names.is_link(0x20, symlink)
