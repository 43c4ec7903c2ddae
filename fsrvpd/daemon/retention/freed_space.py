"""How long to wait until the space of a deleted copy is free.

btrfs, ZFS and others free it in the background, for minutes. Whoever looks too early deletes one
copy after the other, and too many.
"""

from __future__ import annotations

PAUSE = 600.0  # s after a deletion, and after free space was last seen to rise


class FreedSpace:
    """By name of the volume. Times are monotonic, space is in bytes."""

    def __init__(self) -> None:
        self._awaited: dict[str, tuple[float, int]] = {}  # since when; the most free space since

    def deleted(self, volume_name: str, now: float) -> None:
        """A copy on the volume is gone."""
        self._awaited[volume_name] = now, 0

    def is_awaited(self, volume_name: str, free: int, now: float) -> bool:
        """Whether more space than is free now may come from what was deleted."""
        since, most = self._awaited.get(volume_name, (now - PAUSE, free))
        if free > most:
            since = now
            self._awaited[volume_name] = now, free
        return now - since < PAUSE
