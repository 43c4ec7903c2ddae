"""The components through which the daemon touches the world.

A test injects faults here, and nowhere else: it passes components that wrap the real ones.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Callable, Optional

from fsrvpd.config.load import share_options
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.exports.mounts import Exports, OpenShare
from fsrvpd.protocol.ports import Share
from fsrvpd.protocol.unc import normal_share
from fsrvpd.providers.selection import Selection, standard
from fsrvpd.samba_command_line import open_registry
from fsrvpd.store.history import HistoryStore
from fsrvpd.store.sqlite import SqliteStore
from samba_hooks.registry.open_registry import Registry

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Components:
    """Each is asked for once; the registry twice when the daemon runs in the background."""

    def boot_id(self) -> str:
        """A name of this boot of the server."""
        return BOOT_ID.read_text().strip()

    def registry(self, arguments: argparse.Namespace) -> Registry:
        return open_registry(arguments)

    def store(self, path: str) -> SqliteStore:
        return SqliteStore(path)

    def history(self, path: str) -> HistoryStore:
        return HistoryStore(path, normal_share)

    def exports(self, open_share: OpenShare, share_of: Callable[[str], Optional[Share]]) -> Exports:
        return Exports(open_share, share_of)

    def selection(self, mounts: LiveMounts, registry: Registry, folder: str) -> Selection:
        return standard(mounts, partial(share_options, registry), folder)
