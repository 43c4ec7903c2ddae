"""A hostile server's tree: every path is one, and what is left out is told."""

from __future__ import annotations

import pytest

from fsrvpd.requestor.copying.shortfalls import Shortfall, Shortfalls
from fsrvpd.requestor.copying.traversal import (
    DEEPEST,
    Directory,
    End,
    File,
    give_up_if_gone,
    may_be_mangled,
    steps,
)
from fsrvpd.requestor.files.records import Entry, FileFailure
from tests.unit.requestor.copying.entries import Found, Listed, entry, folder

REFUSED = FileFailure("x", "access is denied")


def shown(share: Listed) -> tuple[list[str], list[Shortfall]]:
    lacking: list[Shortfall] = []
    found = []
    for step in steps(share, Shortfalls(lacking.append)):
        sign = {Directory: "+", File: "", End: "-"}[type(step)]
        found.append(
            f"{sign}{step.path}" + ("?" if isinstance(step, End) and not step.complete else "")
        )
    return found, lacking


def test_files_come_before_directories_and_both_before_the_end() -> None:
    listings: dict[str, list[Found]] = {
        "": [folder("a"), entry("f"), folder("b")],
        "a": [entry("g"), folder("c")],
    }
    found, lacking = shown(Listed(listings))
    assert found == ["+", "f", "+a", r"a\g", r"+a\c", r"-a\c", "-a", "+b", "-b", "-"]
    assert lacking == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0", "\ud800", "x" * 256])
def test_names_that_are_none_are_told(name: str) -> None:
    found, lacking = shown(Listed({"": [entry(name), folder(name), entry("good")]}))
    assert found == ["+", "good", "-"]
    assert len(lacking) == 2


@pytest.mark.parametrize(
    "wrong",
    [folder("loop", file_id=1), entry("link", reparse_tag=0xA000000C)],
    ids=lambda found: found.name,
)
def test_what_leads_elsewhere_is_not_followed(wrong: Entry) -> None:
    found, [lacking] = shown(Listed({"": [wrong]}))
    assert found == ["+", "-"]
    assert lacking.path == wrong.name


def test_data_behind_another_reparse_tag_are_a_file() -> None:
    found, lacking = shown(Listed({"": [entry("deduplicated", reparse_tag=0x80000013)]}))
    assert (found, lacking) == (["+", "deduplicated", "-"], [])


def test_the_depth_ends() -> None:
    class Endless(Listed):
        def entries(self, path: str):  # type: ignore[no-untyped-def]
            yield folder("d")

    found, [lacking] = shown(Endless({}))
    assert len(found) == 2 * (DEEPEST + 1)
    assert "250" in lacking.cause


def test_a_directory_that_cannot_be_listed_is_incomplete() -> None:
    found, [lacking] = shown(Listed({"": [folder("a"), folder("b")], "a": [entry("f"), REFUSED]}))
    assert found == ["+", "+a", r"a\f", "-a?", "+b", "-b", "-"]
    assert lacking == Shortfall("a", "access is denied")
    with pytest.raises(FileFailure):
        shown(Listed({"": [REFUSED]}))


def test_nothing_is_tried_on_a_server_that_is_gone() -> None:
    share = Listed({})
    give_up_if_gone(share, REFUSED)
    share.gone = True
    with pytest.raises(FileFailure, match="access is denied"):
        give_up_if_gone(share, REFUSED)


def test_a_directory_can_be_skipped() -> None:
    share = Listed({"": [folder("a")], "a": [entry("f")]})
    found = []
    for step in steps(share, Shortfalls(lambda shortfall: None)):
        found.append(step.path)
        if isinstance(step, Directory) and step.path == "a":
            step.skip()
    assert found == ["", "a", ""]


@pytest.mark.parametrize(
    ("name", "is_so"),
    [("CSHOFG~F", True), ("TZHRWN~N.TXT", True), ("PROGRA~1", True), ("report~1.txt", False)],
)
def test_names_in_place_of_others(name: str, is_so: bool) -> None:
    assert may_be_mangled(name) == is_so
