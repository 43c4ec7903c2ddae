"""What the daemon wants to know of [global], as Samba reads it."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from samba_hooks import dump


class SambaConfiguration(NamedTuple):
    """Directories are as configured or as Samba was built.

    `options` holds the parametric options of [global] in our namespaces, unknown ones too:
    {"fsrvpd": {"max sets": "5"}, "fss": {…}, "fsrvp": {…}}; names in lower case, single
    blanks. `parameters` holds every other parameter of [global] and the share defaults.
    """

    config_file: str
    samba_version: str
    server_role: str
    ncalrpc_dir: str
    state_directory: str
    lock_directory: str
    cache_directory: str
    pid_directory: str
    private_dir: str
    log_file: str
    log_level: str
    netbios_name: str
    netbios_aliases: tuple[str, ...]
    workgroup: str
    realm: str
    interfaces: tuple[str, ...]
    registry_shares: bool
    clustering: bool
    config_backend: str
    options: Mapping[str, Mapping[str, str]]
    parameters: Mapping[str, str]


NAMESPACES = ("fsrvpd", "fss", "fsrvp")


def configuration(
    parameters: Mapping[str, str], *, config_file: str, samba_version: str, server_role: str
) -> SambaConfiguration:
    """From the print of [global] with all defaults shown."""
    return SambaConfiguration(
        config_file=config_file,
        samba_version=samba_version,
        server_role=server_role,
        ncalrpc_dir=parameters["ncalrpc dir"],
        state_directory=parameters["state directory"],
        lock_directory=parameters["lock directory"],
        cache_directory=parameters["cache directory"],
        pid_directory=parameters["pid directory"],
        private_dir=parameters["private dir"],
        log_file=parameters["log file"],
        log_level=parameters["log level"],
        netbios_name=parameters["netbios name"],
        netbios_aliases=dump.words(parameters["netbios aliases"]),
        workgroup=parameters["workgroup"],
        realm=parameters["realm"],
        interfaces=dump.words(parameters["interfaces"]),
        registry_shares=dump.is_yes(parameters["registry shares"]),
        clustering=dump.is_yes(parameters["clustering"]),
        config_backend=parameters["config backend"],
        options={kind: dump.options(parameters, kind) for kind in NAMESPACES},
        parameters=parameters,
    )
