"""What a run has done so far, for the progress bar and for the last line."""

from __future__ import annotations

from typing import Callable


class Totals:
    """`moved` is called after each change."""

    def __init__(self, moved: Callable[[], None] = lambda: None) -> None:
        self._moved = moved
        self.files = 0  # that were copied
        self.directories = 0
        self.unchanged_files = 0
        self.removed = 0
        self.bytes = 0  # of files that are done with, with holes and what was there before
        self.copied_bytes = 0  # that came from the share
        self.verified_bytes = 0

    def arrived(self, count: int) -> None:
        """Bytes of a file that is being copied."""
        self.bytes += count
        self.copied_bytes += count
        self._moved()

    def skipped(self, count: int) -> None:
        """Bytes of such a file that are a hole, or came in an earlier run."""
        self.bytes += count
        self._moved()

    def unchanged(self, size: int) -> None:
        self.unchanged_files += 1
        self.bytes += size
        self._moved()

    def copied(self) -> None:
        self.files += 1
        self._moved()

    def verified(self, count: int) -> None:
        self.verified_bytes += count
        self._moved()
