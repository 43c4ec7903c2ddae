from __future__ import annotations

from errno import ENODATA
from pathlib import Path

import pytest

from fsrvpd.requestor.files.xattr_names import ATTRIBUTES, CREATED, DESCRIPTOR, LARGEST
from fsrvpd.requestor.mount import problems
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.mount.xattrs import Xattrs
from tests.unit.requestor.mount.trees import MOMENT, MemoryTree


@pytest.fixture
def tree() -> MemoryTree:
    made = MemoryTree()
    made.add("file", b"content")
    return made


def test_facts_are_attributes(tree: MemoryTree, tmp_path: Path) -> None:
    tree.alternate["file"] = {"Zone.Identifier": b"[ZoneTransfer]", "empty": b""}
    found = Xattrs(tree, Problems(tmp_path / "problems"))
    values = {name: found.value("file", tree.found["file"], name) for name in found.names("file")}
    assert values == {
        "user.smb.security_descriptor": b"descriptor of file",
        "user.smb.attributes": b"0x20",
        "user.smb.creation_time": str(MOMENT).encode(),
        "user.smb.stream.Zone.Identifier": b"[ZoneTransfer]",
        "user.smb.stream.empty": b"",
    }
    assert [what for what, _ in tree.asked] == ["security_descriptor", "streams"]


@pytest.mark.parametrize("name", ["system.posix_acl_access", "user.smb.stream.x", "user.smb.z"])
def test_there_are_no_others(tree: MemoryTree, tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError) as raised:  # noqa: PT011
        Xattrs(tree, Problems(tmp_path / "p")).value("file", tree.found["file"], name)
    assert raised.value.errno == ENODATA


def test_what_no_attribute_can_hold_is_reported(tree: MemoryTree, tmp_path: Path) -> None:
    tree.alternate["file"] = {
        "fits": bytes(LARGEST),
        "large": bytes(LARGEST + 1),
        "n" * 240: b"x",
    }
    file = tmp_path / "problems"
    names = Xattrs(tree, Problems(file)).names("file")
    assert names == [DESCRIPTOR, ATTRIBUTES, CREATED, "user.smb.stream.fits"]
    found = problems.read(file)
    assert found.counts == {"stream-too-large": 1, "stream-name": 1}
    assert "file:large" in {problem.path for problem in found.named}
    assert found.incomplete


def test_refused_facts_are_reported(tree: MemoryTree, tmp_path: Path) -> None:
    tree.refused.add("file")
    file = tmp_path / "problems"
    found = Xattrs(tree, Problems(file))
    assert found.names("file") == [ATTRIBUTES, CREATED]
    with pytest.raises(OSError, match="no such attribute"):
        found.value("file", tree.found["file"], DESCRIPTOR)
    assert problems.read(file).counts == {"descriptor-refused": 1, "streams-refused": 1}


def test_a_descriptor_that_is_too_large_is_reported(tree: MemoryTree, tmp_path: Path) -> None:
    tree.descriptors["file"] = bytes(LARGEST + 1)
    file = tmp_path / "problems"
    assert DESCRIPTOR not in Xattrs(tree, Problems(file)).names("file")
    assert problems.read(file).counts == {"descriptor-refused": 1}
