from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from samba_hooks.freshness import ConfigVersion, Freshness, stamp


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "registry.tdb"
    write_sequence(path, 7)
    return path


def write_sequence(path: Path, number: int) -> None:
    """The first bytes of struct tdb_header in the machine's byte order."""
    order = "<" if sys.byteorder == "little" else ">"
    path.write_bytes(b"TDB file\n".ljust(32, b"\0") + struct.pack(f"{order}5I", 0, 0, 0, 0, number))


def version(registry: Path, *files: Path) -> ConfigVersion:
    stamps = tuple(stamp(str(path)) for path in files)
    return ConfigVersion(stamps, str(registry), Freshness().sequence(str(registry)))


def test_counter_is_read(registry: Path) -> None:
    assert Freshness().sequence(str(registry)) == 7


def test_current_until_the_counter_moves(registry: Path) -> None:
    freshness, known = Freshness(), version(registry)
    assert freshness.is_current(known)
    with open(registry, "r+b") as stream:
        stream.seek(48)
        stream.write((8).to_bytes(4, sys.byteorder))
    assert not freshness.is_current(known)
    freshness.close()


def test_current_until_a_file_changes_appears_or_vanishes(registry: Path, tmp_path: Path) -> None:
    main, include = tmp_path / "smb.conf", tmp_path / "include"
    main.write_text("[global]")
    freshness = Freshness()
    without = version(registry, main, include)
    assert freshness.is_current(without)
    include.touch()
    assert not freshness.is_current(without)
    both = version(registry, main, include)
    assert freshness.is_current(both)
    os.utime(main, ns=(0, 0))
    assert not freshness.is_current(both)
    include.unlink()
    assert not freshness.is_current(both)
    freshness.close()


def test_a_registry_that_appears_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "registry.tdb"
    freshness, known = Freshness(), version(path)
    assert known.sequence == -1
    assert freshness.is_current(known)
    write_sequence(path, 1)
    assert not freshness.is_current(known)
    freshness.close()


def test_what_is_no_tdb_has_no_counter(tmp_path: Path) -> None:
    path = tmp_path / "registry.tdb"
    path.write_bytes(bytes(100))
    assert Freshness().sequence(str(path)) == -1


def test_a_cluster_is_never_current() -> None:
    assert not Freshness().is_current(ConfigVersion((), "", -1))
