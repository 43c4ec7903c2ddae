"""Reads and checks everything in smb.conf that concerns fsrvpd.

The start of the daemon, a reload and `fsrvpctl check-config` all use this, so that they report
the same. The daemon serves before it has looked at every share: there may be 10,000.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator, Mapping, NamedTuple, Sequence

from fsrvpd.config import daemon_options
from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.config.repeated_sections import repeated_sections
from fsrvpd.options.option import full_names
from fsrvpd.options.share import NAMESPACE
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.open_registry import Registry

_MOST_NAMES = 3  # in one sentence


class Configuration(NamedTuple):
    """`faults` are values in [global] that cannot be understood, so that others count; `warnings`
    report what does no harm but is surely a mistake. `refused` says why the definition of a share
    rules out shadow copies, `mistakes` the same where that is surely not intended."""

    samba: SambaConfiguration
    settings: DaemonSettings
    warnings: tuple[str, ...]
    refused: Mapping[str, str]
    mistakes: Mapping[str, str] = {}
    faults: tuple[str, ...] = ()

    def problems(self) -> tuple[str, ...]:
        """What an admin has to change, a sentence each."""
        return (*self.faults, *self.warnings, *map(": ".join, by_reason(self.mistakes)))


def read_globals(registry: Registry) -> Configuration:
    """The options of [global].

    Raises: RegistryError if Samba itself cannot read its configuration.
    """
    samba = registry.configuration()
    given, faults = daemon_options.understood(full_names(samba.options))
    settings = daemon_options.read(given, samba.netbios_name)
    return Configuration(
        samba, settings, tuple(daemon_options.unknown(given)), {}, {}, tuple(faults)
    )


def add_shares(found: Configuration, registry: Registry) -> Configuration:
    """What concerns every share as well, which takes longer the more there are. Raises as
    `read_globals`."""
    of_all = found.samba.options[NAMESPACE].items()
    refused, mistakes, unknown = {}, {}, {}
    for share in registry.shares():
        if share.mistake:
            mistakes[share.name] = share.mistake
        elif share.refusal:
            refused[share.name] = share.refusal
        of_share = dict(share.options.items() - of_all)
        if why := "; ".join(daemon_options.unknown(full_names({NAMESPACE: of_share}))):
            unknown[share.name] = why
    warnings = (*found.warnings, *map(": ".join, by_reason(unknown)))
    return found._replace(warnings=warnings, refused=refused, mistakes=mistakes)


def read_configuration(registry: Registry) -> Configuration:
    """The options of [global] and of every share. Raises as `read_globals`."""
    found = add_shares(read_globals(registry), registry)
    repeated = repeated_sections(found.samba.config_file)
    return found._replace(warnings=(*found.warnings, *repeated))


def by_reason(reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The shares of which the same is said, in words, and what. `reasons` are by name."""
    names = defaultdict(list)
    for name, why in reasons.items():
        names[why].append(name)
    for why, alike in names.items():
        yield _listed(alike), why


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"share {names[0]}"
    if len(names) <= _MOST_NAMES:
        return f"shares {', '.join(names[:-1])} and {names[-1]}"
    return f"shares {', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES:,} more"


def share_options(registry: Registry, name: str) -> Mapping[str, str]:
    """The `fsrvp:` options of a share by name without prefix; those of [global] if the share no
    longer exists. Raises: RegistryError."""
    share = registry.share(name)
    return share.options if share else registry.configuration().options[NAMESPACE]
