"""What the worker tells smbd over Samba's message bus."""

from __future__ import annotations

from samba_hooks.worker.libsmbconf import Events

# librpc/idl/messaging.idl, unchanged from Samba 4.13 to 4.24.
_CONF_UPDATED = 0x0021
_FORCE_TDIS = 0x0302


def disconnect(events: Events, share: str) -> None:
    """Every smbd closes its connections to the share."""
    events.send_to_all(_FORCE_TDIS, share.encode("utf-8", "surrogateescape") + b"\0")


def configuration_changed(events: Events) -> None:
    """Every smbd forgets shares that are not in use, and reads those that are anew."""
    events.send_to_all(_CONF_UPDATED, b"")
