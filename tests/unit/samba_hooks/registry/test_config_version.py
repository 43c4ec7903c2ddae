from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from samba_hooks.registry import config_version
from samba_hooks.registry.config_version import (
    ConfigChangeDetector,
    ConfigVersion,
    settled_stamp,
    stamp,
)


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
    return ConfigVersion(stamps, str(registry), ConfigChangeDetector().sequence(str(registry)))


def test_counter_is_read(registry: Path) -> None:
    assert ConfigChangeDetector().sequence(str(registry)) == 7


def test_current_until_the_counter_moves(registry: Path) -> None:
    detector, known = ConfigChangeDetector(), version(registry)
    assert detector.is_current(known)
    with open(registry, "r+b") as stream:
        stream.seek(48)
        stream.write((8).to_bytes(4, sys.byteorder))
    assert not detector.is_current(known)
    detector.close()


def test_current_until_a_file_changes_appears_or_vanishes(registry: Path, tmp_path: Path) -> None:
    main, include = tmp_path / "smb.conf", tmp_path / "include"
    main.write_text("[global]")
    detector = ConfigChangeDetector()
    without = version(registry, main, include)
    assert detector.is_current(without)
    include.touch()
    assert not detector.is_current(without)
    both = version(registry, main, include)
    assert detector.is_current(both)
    os.utime(main, ns=(0, 0))
    assert not detector.is_current(both)
    include.unlink()
    assert not detector.is_current(both)
    detector.close()


def test_a_registry_that_appears_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "registry.tdb"
    detector, known = ConfigChangeDetector(), version(path)
    assert known.sequence == -1
    assert detector.is_current(known)
    write_sequence(path, 1)
    assert not detector.is_current(known)
    detector.close()


def test_what_is_no_tdb_has_no_counter(tmp_path: Path) -> None:
    path = tmp_path / "registry.tdb"
    path.write_bytes(bytes(100))
    assert ConfigChangeDetector().sequence(str(path)) == -1


def test_a_cluster_is_never_current() -> None:
    assert not ConfigChangeDetector().is_current(ConfigVersion((), "", -1))


def test_a_file_that_has_just_changed_is_looked_at_after_the_next_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.13 two changes within a tick leave the same time."""
    file = tmp_path / "smb.conf"
    file.write_text("")
    now, changes, slept = 10**18, 0, 0.0

    def sleep(seconds: float) -> None:
        nonlocal now, changes, slept
        assert seconds >= 1 / 100, "the longest tick"
        now, slept = now + int(seconds * 1e9), slept + seconds
        if changes:
            changes -= 1
            os.utime(file, ns=(now, now))

    monkeypatch.setattr(config_version.time, "sleep", sleep)
    monkeypatch.setattr(config_version.time, "time_ns", lambda: now)
    for number in (0, 1, 3):
        changes = number
        os.utime(file, ns=(now, now))
        found = settled_stamp(str(file))
        assert found == stamp(str(file))
        assert now - found.mtime >= 10**7, "it may change once more within the tick"
    changes, slept = 1000, 0.0
    os.utime(file, ns=(now, now))
    assert settled_stamp(str(file)) != stamp(str(file)), "it changes all the time"
    assert slept < 0.1
    changes, slept = 0, 0.0
    os.utime(file, (1, 1))
    assert settled_stamp(str(file)).mtime == 10**9
    assert settled_stamp(str(tmp_path / "missing")).mtime == 0
    assert slept == 0
