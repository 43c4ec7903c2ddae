"""A share that leads elsewhere than when it was located."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence

import pytest

from fsrvpd.protocol.ports import Share, ShareLocation
from fsrvpd.shares.changes import change_of, identity_of


class Provider:
    def __init__(self, found: Optional[str] = None) -> None:
        self._found = found

    def recheck(self, path: str, ignored: Sequence[str] = ()) -> Optional[str]:
        return self._found


@pytest.fixture
def link(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("one")
    return tmp_path / "link"


def location(link: Path, *, with_identity: bool) -> ShareLocation:
    directory = str(link.with_name("one"))
    identity = identity_of(directory) if with_identity else None
    return ShareLocation(Share("s", str(link), False), "v", "/", "p", directory, identity=identity)


@pytest.mark.parametrize("with_identity", [True, False])
def test_a_link_that_is_turned(link: Path, with_identity: bool) -> None:
    located = location(link, with_identity=with_identity)
    assert change_of(located, str(link), Provider()) is None
    assert change_of(located, located.directory, Provider()) is None
    assert change_of(located, str(link), Provider("a gap")) == "a gap"
    link.unlink()
    link.symlink_to("two")
    assert "another directory" in str(change_of(located, str(link), Provider()))


def test_a_directory_that_is_exchanged(link: Path) -> None:
    located = location(link, with_identity=True)
    link.with_name("one").rename(link.with_name("away"))
    link.with_name("two").rename(link.with_name("one"))
    assert "another directory" in str(change_of(located, located.directory, Provider()))
    link.with_name("one").rmdir()
    assert "another directory" in str(change_of(located, located.directory, Provider()))
