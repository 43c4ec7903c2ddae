"""Which files Samba's configuration consists of: smb.conf and all it includes."""

from __future__ import annotations

import os

from samba_hooks.worker.libsmbconf import Library

_REGISTRY = "registry"  # `include = registry` names no file


def config_files(library: Library, config_file: str) -> list[str]:
    """Every file that Samba reads or would read if it were there, each once.

    Asks libsmbconf's text back-end, which parses as Samba does but does not follow
    includes; they are followed here. Raises: RegistryError.
    """
    found: list[str] = []
    pending = [config_file]
    while pending:
        path = pending.pop(0)
        if path in found:
            continue
        found.append(path)
        if os.path.isfile(path):
            pending += _includes(library, path)
    return found


def _includes(library: Library, path: str) -> list[str]:
    source = library.open(f"file:{path}")
    try:
        values = [value for section in source.names() for value in source.includes(section)]
    finally:
        source.close()
    return [library.expand(value) for value in values if value.strip().lower() != _REGISTRY]
