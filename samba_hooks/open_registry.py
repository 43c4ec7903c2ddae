"""Choose how to reach Samba's configuration: its library, or its command line tools."""

from __future__ import annotations

import logging
from typing import Optional, Sequence, Union

from samba_hooks.commands import CommandRegistry
from samba_hooks.registry import DEFAULT_TIMEOUT, LibraryMissing, RegistryClient
from samba_hooks.worker import LIBRARY

logger = logging.getLogger("samba_hooks.registry")

Registry = Union[RegistryClient, CommandRegistry]


def open_registry(
    config_file: Optional[str] = None,
    overrides: Sequence[tuple[str, str]] = (),
    *,
    timeout: float = DEFAULT_TIMEOUT,
    library: str = LIBRARY,
) -> Registry:
    """The fast way where it works. `config_file` None stands for Samba's own default.

    Raises: RegistryError when Samba cannot read its configuration.
    """
    client = RegistryClient(config_file, overrides, timeout=timeout, library=library)
    try:
        client.configuration()
    except LibraryMissing as error:
        client.close()
        logger.warning(
            "%s; using net, sharesec and testparm instead, which takes 20 times as long", error
        )
        return CommandRegistry(config_file, overrides, timeout=timeout)
    except BaseException:
        client.close()
        raise
    return client
