"""The `fsrvp:` parameters of a share that concern storage."""

from __future__ import annotations

from fsrvpd.protocol.ports import Share

PROVIDER = "provider"
ANY = "auto"
PREVIOUS_VERSIONS = "previous versions"
_TRUE = ("yes", "true", "on", "1")  # what Samba's parser takes for a true boolean


def wants_previous_versions(share: Share) -> bool:
    """`fsrvp:previous versions`: users may list the snapshots (shadow_copy2 needs that)."""
    return share.options.get(PREVIOUS_VERSIONS, "no").strip().lower() in _TRUE


def forced_provider(share: Share) -> str:
    """`fsrvp:provider`: the one that must be used, `ANY` when the first that can may be."""
    return share.options.get(PROVIDER, ANY).strip().lower()
