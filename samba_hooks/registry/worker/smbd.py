"""Messages to smbd over Samba's message bus."""

from __future__ import annotations

from fsrvpd.options.option import is_yes
from samba_hooks.registry.worker.events import Events
from samba_hooks.registry.worker.libsmbconf import Library
from samba_hooks.registry.worker.loaded_shares import LoadedShares

# librpc/idl/messaging.idl, unchanged from Samba 4.13 to 4.24.
_CONF_UPDATED = 0x0021
_FORCE_TDIS = 0x0302


class Smbd:
    """All smbd processes. The first smbd passes messages on to its children in order. Messages to
    all processes would reach each child twice, which would then reload twice."""

    def __init__(self, library: Library, shares: LoadedShares, events: Events) -> None:
        self._library = library
        self._shares = shares
        self._events = events

    def disconnect(self, share: str) -> None:
        """Close the connections to the share."""
        self._send(_FORCE_TDIS, share.encode("utf-8", "surrogateescape") + b"\0")

    def configuration_changed(self) -> None:
        """Have smbd forget shares that are not in use and reload the others."""
        self._send(_CONF_UPDATED, b"")

    def _send(self, kind: int, data: bytes) -> None:
        """To the first smbd; to all processes on a cluster, or if it is not running."""
        pid = 0
        if not is_yes(self._shares.defaults["clustering"]):
            directory = self._shares.defaults["pid directory"]
            pid = self._library.running("smbd", directory)
        if pid == 0 or not self._events.send_to(pid, kind, data):
            self._events.send_to_all(kind, data)
