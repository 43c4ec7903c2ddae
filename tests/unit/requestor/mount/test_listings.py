from __future__ import annotations

from pathlib import Path

import pytest

from fsrvpd.requestor.files.records import FileFailure
from fsrvpd.requestor.mount import listings, problems
from fsrvpd.requestor.mount.listings import Listings
from fsrvpd.requestor.mount.problems import Problems
from tests.unit.requestor.mount.trees import DIRECTORY, MemoryTree


@pytest.fixture
def tree() -> MemoryTree:
    made = MemoryTree()
    made.add("folder", attributes=DIRECTORY)
    made.add("folder\\file", b"x")
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "problems"


def test_the_files_of_a_directory_are_asked_for_once(tree: MemoryTree, file: Path) -> None:
    listed = Listings(tree, Problems(file))
    assert set(listed.of("folder")) == {"file"}
    assert listed.of("folder") == listed.of("folder")
    assert listed.entry("folder\\file").size == 1
    with pytest.raises(FileNotFoundError):
        listed.entry("folder\\missing")
    assert tree.asked == [("entries", "folder")]


def test_a_file_alone_is_asked_for_once(tree: MemoryTree, file: Path) -> None:
    listed = Listings(tree, Problems(file))
    assert listed.entry("folder\\file") == listed.entry("folder\\file")
    assert tree.asked == [("entry", "folder\\file")]
    with pytest.raises(FileFailure):
        listed.entry("missing")


def test_a_name_is_never_taken_for_a_stream(tree: MemoryTree, file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Listings(tree, Problems(file)).entry("folder\\file:stream")
    assert tree.asked == []


def test_what_cannot_be_shown_is_reported(tree: MemoryTree, file: Path) -> None:
    tree.found["bad"] = tree.found["folder"]._replace(name="../../etc")
    tree.add("link", attributes=0x410, reparse_tag=0xA000000C)
    tree.add("ADC3FK~7.TXT")
    tree.add("what?")
    listed = Listings(tree, Problems(file))
    assert set(listed.of("")) == {"folder", "ADC3FK~7.TXT", "what?"}
    kinds = {problem.path: problem.kind for problem in problems.read(file).named}
    assert kinds == {
        "../../etc": "name-unusable",
        "link": "link",
        "ADC3FK~7.TXT": "name-mangled",
        "what?": "name-beyond-windows",
    }


def test_the_oldest_directories_are_forgotten(
    tree: MemoryTree, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "MOST", 2)
    tree.add("other", attributes=DIRECTORY)
    for number in range(3):
        tree.add(f"other\\{number}")
    listed = Listings(tree, Problems(file))
    listed.of("folder")
    listed.of("other")
    listed.of("other")
    listed.of("folder")
    assert [path for _, path in tree.asked] == ["folder", "other", "folder"]


def test_a_link_is_not_there_for_who_knows_its_name_either(tmp_path: Path) -> None:
    """It leads out of the copy."""
    tree = MemoryTree()
    tree.add("junction", attributes=0x410, reparse_tag=0xA0000003)
    listings = Listings(tree, Problems(tmp_path / "problems"))
    with pytest.raises(FileNotFoundError):
        listings.entry("junction")
