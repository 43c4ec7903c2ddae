"""Requests and responses in readable form, for debug level 10."""

from __future__ import annotations

from typing import Any, Iterator

from fsrvpd.core.messages import format_guid
from fsrvpd.protocol.hresult import describe

_GUID_SIZE = 16
IDS = {"shadow_copy_set_id": "set", "shadow_copy_id": "copy"}


def format_message(message: Any) -> str:
    """A message of the protocol with all its fields; none holds a secret."""
    values = ", ".join(f"{name}={_shown(name, value)}" for name, value in _fields(message))
    return f"{type(message).__name__}({values})"


def ids(request: Any) -> dict[str, str]:
    """The set and the shadow copy that a request names."""
    return {
        IDS[name]: format_guid(value) for name, value in _fields(request) if name in IDS and value
    }


def _fields(message: Any) -> Iterator[tuple[str, Any]]:
    if message is not None:
        yield from message._asdict().items()


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bytes) and len(value) == _GUID_SIZE:
        return format_guid(value)
    if name == "result":
        return describe(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return format_message(value)
    return repr(value)
