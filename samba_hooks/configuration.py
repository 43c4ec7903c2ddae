"""What the daemon needs from [global], as Samba reads it."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes, unquoted
from samba_hooks import testparm
from samba_hooks.registry.smb_conf_faults import DIRECTORIES, relative

# Values of `server_role`, as Samba's server_role_str() spells them.
ROLE_STANDALONE = "ROLE_STANDALONE"
ROLE_DOMAIN_MEMBER = "ROLE_DOMAIN_MEMBER"
ROLE_DOMAIN_PDC = "ROLE_DOMAIN_PDC"
ROLE_DOMAIN_BDC = "ROLE_DOMAIN_BDC"
ROLE_ACTIVE_DIRECTORY_DC = "ROLE_ACTIVE_DIRECTORY_DC"


class SambaConfiguration(NamedTuple):
    """Directories are as configured or, by default, as Samba was built.

    `options` holds the options of [global] in our namespaces, known or not:
    {"fsrvpd": {"max sets": "5"}, "fss": {…}, "fsrvp": {…}}; names are in lower case with single
    blanks. `parameters` holds every parameter of [global] and the defaults of shares.
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
    dns_names: tuple[str, ...]  # that Samba registers for itself beside NAME.REALM
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
    """From what Samba prints of [global] with all defaults shown.

    Raises: RegistryError if a directory is not an absolute path.
    """
    for name in DIRECTORIES:
        if not parameters[name].startswith("/"):
            raise RegistryError(f"{config_file}: {relative(name, parameters[name])}")
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
        log_file=unquoted(parameters["log file"]),
        log_level=parameters["log level"],
        netbios_name=parameters["netbios name"],
        netbios_aliases=testparm.words(parameters["netbios aliases"]),
        dns_names=_dns_names(parameters),
        workgroup=parameters["workgroup"],
        realm=parameters["realm"],
        interfaces=testparm.words(parameters["interfaces"]),
        registry_shares=is_yes(parameters["registry shares"]),
        clustering=is_yes(parameters["clustering"]),
        config_backend=parameters["config backend"],
        options={kind: testparm.options(parameters, kind) for kind in NAMESPACES},
        parameters=parameters,
    )


def _dns_names(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """`dns hostname` came with Samba 4.23."""
    listed = testparm.words(parameters.get("additional dns hostnames", ""))
    hostname = parameters.get("dns hostname", "")
    return (hostname, *listed) if hostname else listed
