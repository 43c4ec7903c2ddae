"""All of smb.conf that concerns us, read and checked in one go.

The daemon's start, its reload and `fsrvpctl check-config` all read it here, so that they
say the same.
"""

from __future__ import annotations

from typing import Mapping, NamedTuple

from fsrvpd import options
from fsrvpd.errors import ConfigError
from fsrvpd.options import DaemonSettings
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.open_registry import Registry

SHARE_NAMESPACE = "fsrvp"


class Configuration(NamedTuple):
    """`complaints` are sentences about what does no harm but is surely not meant."""

    samba: SambaConfiguration
    settings: DaemonSettings
    complaints: tuple[str, ...]


def read_configuration(registry: Registry) -> Configuration:
    """Everything, the options of each share too.

    Raises: ConfigError naming the option, its value and what it wants; RegistryError when
    Samba itself cannot read its configuration.
    """
    samba = registry.configuration()
    given = options.parametric(samba.options)
    settings = options.read(given, samba.netbios_name)
    complaints = options.unknown(given)
    for name in registry.share_names():
        complaints += _check_share(registry, name)
    return Configuration(samba, settings, tuple(complaints))


def share_options(registry: Registry, name: str) -> Mapping[str, str]:
    """The `fsrvp:` parameters of a share, without prefix; those of [global] where there is no
    such share any more. Raises: RegistryError."""
    share = registry.share(name)
    return share.options if share else registry.configuration().options[SHARE_NAMESPACE]


def _check_share(registry: Registry, name: str) -> list[str]:
    share = registry.share(name)
    if share is None:  # gone since
        return []
    try:
        found = options.check_share(options.parametric({SHARE_NAMESPACE: share.options}))
    except ConfigError as error:
        raise ConfigError(f"share {share.name}: {error}") from error
    return [f"share {share.name}: {complaint}" for complaint in found]
