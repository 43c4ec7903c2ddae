from __future__ import annotations

import pytest

from fsrvpd.providers.mark import Mark
from fsrvpd.providers.volume_manager import LogicalVolume, device_of, identify, tagged, tags

ID = "{8A2E0C3B-8F0B-4C39-9D1C-3B1E0A6A5D11}"
LABEL = "2026.11.21-08.30.00"


def mark(path: str = "Bücher und Karten") -> Mark:
    return Mark("lvm", ID, ID, "Übersicht", "NAS", 1.5, path, holder="uuid")


def volume(*named: str) -> LogicalVolume:
    return LogicalVolume("vg", "g", "v", "u", named, "thin", "p", 0.0, 0.0, True, True, "/dev/v")


@pytest.mark.parametrize("path", ["", "a,b @#:{}", "ß" * 600])
def test_a_mark_comes_back_from_tags_in_any_order(path: str) -> None:
    written = tags(LABEL, mark(path))
    read = tagged(volume(*reversed(written)))
    assert read is not None
    assert read == (LABEL, mark(path))


def test_tags_are_what_lvm_allows() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-/=!:&#")
    for tag in tags(LABEL, mark("ß" * 600)):
        assert len(tag) <= 1024
        assert set(tag) <= allowed
        assert not tag.startswith("-")


def test_what_has_not_all_of_our_tags_is_not_ours() -> None:
    written = tags(LABEL, mark("ß" * 600))
    for missing in written:
        assert tagged(volume(*(tag for tag in written if tag != missing))) is None
    assert tagged(volume()) is None
    assert tagged(volume("fsrvpd", f"fsrvpd.label.{LABEL}", "fsrvpd.mark.x.y")) is None


def test_a_device_is_named_as_device_mapper_does() -> None:
    assert device_of("my-vg", "fsrvp-8A2E") == "/dev/mapper/my--vg-fsrvp--8A2E"


def test_what_is_no_logical_volume_has_no_name() -> None:
    assert identify(0) is None
