"""What the daemon is made of where it touches the world.

The one seam for faults: a test hands in other parts, which stand before the real ones.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

from fsrvpd.command_line import open_registry
from fsrvpd.configuration import share_options
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.providers.selection import Selection, standard
from fsrvpd.store.sqlite import SqliteStore
from samba_hooks.open_registry import Registry

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Parts:
    """Each is asked for once in a life of the daemon; the registry once more, if that goes to
    the background."""

    def boot_id(self) -> str:
        """What names this boot of the server."""
        return BOOT_ID.read_text().strip()

    def wall_clock(self) -> float:
        """Unix time, s."""
        return time.time()

    def registry(self, arguments: argparse.Namespace) -> Registry:
        return open_registry(arguments)

    def store(self, path: str) -> SqliteStore:
        return SqliteStore(path)

    def selection(self, mounts: LiveMounts, registry: Registry, folder: str) -> Selection:
        return standard(mounts, partial(share_options, registry), folder)
