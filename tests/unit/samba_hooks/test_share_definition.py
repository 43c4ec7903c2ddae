from __future__ import annotations

import pytest

from samba_hooks.share_definition import Definition, is_share_name


def test_own_values_stand_before_defaults() -> None:
    defaults = {"read only": "Yes", "vfs objects": "acl_xattr", "fsrvp:provider": "btrfs"}
    own = {"path": "/x", "read only": "No", "fsrvp:keep": "yes"}
    share = Definition("Data", own, defaults, from_registry=True).share()
    assert not share.read_only
    assert share.vfs_objects == ("acl_xattr",)
    assert share.options == {"provider": "btrfs", "keep": "yes"}
    assert share.from_registry


def test_a_mark_in_global_makes_no_shadow_copy() -> None:
    share = Definition("x", {}, {"fsrvp:shadow copy": "{C}"}, from_registry=False).share()
    assert share.shadow_copy_id is None


@pytest.mark.parametrize("name", ["data", "data$", "Größe & Höhe", "a@{B}", "homes", "50%"])
def test_names_of_shares(name: str) -> None:
    assert is_share_name(name)


@pytest.mark.parametrize(
    "name", ["", "  ", "global", "GLOBALS", "glo bal", "a\\b", "a/b", "a\0b", "a\nb", "[a]"]
)
def test_what_is_no_name_of_a_share(name: str) -> None:
    assert not is_share_name(name)
