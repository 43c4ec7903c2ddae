"""Chooses how Samba's configuration is accessed: by its library or by its tools."""

from __future__ import annotations

import logging
from typing import Optional, Sequence, Union

from samba_hooks.registry.client import DEFAULT_TIMEOUT, LibraryMissing, RegistryClient
from samba_hooks.registry.net_commands import CommandRegistry
from samba_hooks.registry.worker import LIBRARY

logger = logging.getLogger("samba_hooks.registry")

Registry = Union[RegistryClient, CommandRegistry]


def open_registry(
    config_file: Optional[str] = None,
    overrides: Sequence[tuple[str, str]] = (),
    *,
    timeout: float = DEFAULT_TIMEOUT,
    library: str = LIBRARY,
) -> Registry:
    """The library if it can be loaded, else the tools. `config_file` None is Samba's default.

    Raises: RegistryError if Samba cannot read its configuration.
    """
    client = RegistryClient(config_file, overrides, timeout=timeout, library=library)
    try:
        client.configuration()
    except LibraryMissing as error:
        client.close()
        logger.warning(
            "%s; using net, sharesec and testparm instead, which is 20 times slower", error
        )
        return CommandRegistry(config_file, overrides, timeout=timeout)
    except BaseException:
        client.close()
        raise
    return client
