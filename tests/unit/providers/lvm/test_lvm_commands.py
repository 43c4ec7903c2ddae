from __future__ import annotations

import logging

import pytest

from fsrvpd.providers.catalog.marker import SnapshotMarker
from fsrvpd.providers.lvm.lvm_commands import (
    LogicalVolume,
    device_of,
    identify,
    marker_from_tags,
    tags_of,
)

ID = "{8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
TIMESTAMP = "2026.11.21-08.30.00"


def marker(path: str = "Bücher und Karten") -> SnapshotMarker:
    return SnapshotMarker(
        *("lvm", ID, ID, "Übersicht", "NAS", 1.5, path, False, "uuid", "", TIMESTAMP)
    )


def volume(*tags: str) -> LogicalVolume:
    return LogicalVolume("vg", "g", "v", "u", tags, "thin", "p", 0.0, 0.0, True, True, "/dev/v")


@pytest.mark.parametrize("path", ["", "a,b @#:{}", "ß" * 600])
def test_a_marker_comes_back_from_tags_in_any_order(path: str) -> None:
    written = tags_of(marker(path))
    assert marker_from_tags(volume(*reversed(written))) == marker(path)


def test_tags_are_what_lvm_allows() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-/=!:&#")
    for tag in tags_of(marker("ß" * 600)):
        assert len(tag) <= 1024
        assert set(tag) <= allowed
        assert not tag.startswith("-")


def test_what_has_not_all_of_our_tags_is_not_ours() -> None:
    written = tags_of(marker("ß" * 600))
    for missing in written:
        assert marker_from_tags(volume(*(tag for tag in written if tag != missing))) is None
    assert marker_from_tags(volume()) is None
    assert marker_from_tags(volume("fsrvpd", f"fsrvpd.timestamp.{TIMESTAMP}")) is None
    torn = "fsrvpd", f"fsrvpd.timestamp.{TIMESTAMP}", "fsrvpd.marker.x.y"
    assert marker_from_tags(volume(*torn)) is None


def test_tags_of_another_version_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Those of version 1 had other names."""
    with caplog.at_level(logging.WARNING):
        assert marker_from_tags(volume("other")) is None
        assert not caplog.text
        tags = "fsrvpd", f"fsrvpd.label.{TIMESTAMP}", "fsrvpd.mark.0.e30="
        assert marker_from_tags(volume(*tags)) is None
    assert "vg/v: not a marker of this version of fsrvpd" in caplog.text


def test_a_device_is_named_as_device_mapper_does() -> None:
    assert device_of("my-vg", "fsrvp-8A2E") == "/dev/mapper/my--vg-fsrvp--8A2E"


def test_what_is_no_logical_volume_has_no_name() -> None:
    assert identify(0) is None
