"""The space of a deleted copy is waited for."""

from __future__ import annotations

from fsrvpd.daemon.retention.freed_space import PAUSE, FreedSpace


def test_nothing_is_awaited_without_a_deletion() -> None:
    assert not FreedSpace().is_awaited("btrfs:1", 5, 0.0)


def test_space_is_awaited_for_as_long_as_it_rises() -> None:
    space = FreedSpace()
    space.deleted("btrfs:1", 0.0)
    assert not space.is_awaited("btrfs:2", 5, 60.0)
    assert space.is_awaited("btrfs:1", 5, 60.0)
    assert space.is_awaited("btrfs:1", 5, 59.0 + PAUSE)
    assert space.is_awaited("btrfs:1", 6, 61.0 + PAUSE), "it still rises"
    assert space.is_awaited("btrfs:1", 4, 60.0 + 2 * PAUSE), "somebody writes"
    assert not space.is_awaited("btrfs:1", 4, 61.0 + 2 * PAUSE)
