"""What the worker tells smbd over Samba's message bus."""

from __future__ import annotations

from samba_hooks import dump
from samba_hooks.worker.definitions import Definitions
from samba_hooks.worker.libsmbconf import Events, Library

# librpc/idl/messaging.idl, unchanged from Samba 4.13 to 4.24.
_CONF_UPDATED = 0x0021
_FORCE_TDIS = 0x0302


class Smbd:
    """All smbd processes. The first of them passes messages on to its children in order; sent
    to all at once, each child would get them twice and reload twice."""

    def __init__(self, library: Library, definitions: Definitions, events: Events) -> None:
        self._library = library
        self._definitions = definitions
        self._events = events

    def disconnect(self, share: str) -> None:
        """Close the connections to the share."""
        self._send(_FORCE_TDIS, share.encode("utf-8", "surrogateescape") + b"\0")

    def configuration_changed(self) -> None:
        """Forget shares that are not in use, and read those that are anew."""
        self._send(_CONF_UPDATED, b"")

    def _send(self, kind: int, data: bytes) -> None:
        """To every node of a cluster; to everybody too where the first smbd is not to be found."""
        pid = 0
        if not dump.is_yes(self._definitions.defaults["clustering"]):
            directory = self._definitions.defaults["pid directory"]
            pid = self._library.running("smbd", directory)
        if pid == 0 or not self._events.send_to(pid, kind, data):
            self._events.send_to_all(kind, data)
