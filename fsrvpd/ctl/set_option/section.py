"""In which section an option has to be written: of smb.conf or of Samba's registry."""

from __future__ import annotations

import socket
from typing import Any, List, Optional, Union

from fsrvpd.ctl.set_option.known import nearest
from fsrvpd.ctl.set_option.registry_section import RegistrySection
from fsrvpd.ctl.set_option.smb_conf_section import SmbConfSection
from fsrvpd.errors import ConfigError, FsrvpdError
from fsrvpd.options.option import Option
from fsrvpd.protocol.ports import Share
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.open_registry import Registry
from samba_hooks.registry.share_definition import is_share_name
from samba_hooks.registry.smb_conf_places import Expand, depends_on_client, includes_registry
from samba_hooks.tools import SambaTools

Section = Union[SmbConfSection, RegistrySection]
_GLOBAL = "global"


def section_of(
    option: Option[Any], share: Optional[str], registry: Registry, tools: SambaTools
) -> Section:
    """[global] without a share. Raises: ConfigError if the option cannot be written there;
    RegistryError."""
    samba = registry.configuration()
    if share is None:
        return _global(option, samba, tools)
    found = registry.share(share) if is_share_name(share) else None
    if found is None:
        raise ConfigError(_no_share(share, samba, tools))
    _require_share_of_admin(found)
    if found.from_registry or found.name.lower() in _of_registry(samba, tools):
        # Samba reads the registry last, and drops our options of a section that it has twice.
        return RegistrySection(tools, found.name)
    section = SmbConfSection(tools, samba.config_file, found.name, _expand(samba))
    if section.elsewhere:
        raise ConfigError(
            f"share {found.name}: not changed, because its section is in"
            f" {section.elsewhere.where}, which smb.conf includes; write {option.name} there"
            " with an editor, then `fsrvpctl fsrvpd reload-config`"
        )
    if not section.exists:
        raise ConfigError(
            f"share {found.name}: not changed, because {samba.config_file} has no section"
            f" [{found.name}]; write one with {option.name} into it"
        )
    return section


def _global(option: Option[Any], samba: SambaConfiguration, tools: SambaTools) -> Section:
    if samba.config_backend.lower() == "registry":
        return RegistrySection(tools, _GLOBAL)
    section = SmbConfSection(tools, samba.config_file, _GLOBAL, _expand(samba))
    if any(includes_registry(place) for place in section.places):
        of_registry = RegistrySection(tools, _GLOBAL)
        if of_registry.value(option) is not None:
            return of_registry
    if not section.exists:
        raise ConfigError(
            f"{samba.config_file}: has no section [global]; write `[global]` as its first line"
        )
    return section


def _require_share_of_admin(share: Share) -> None:
    """Raises: ConfigError for a copy, a user's own share, and one that depends on the client."""
    if share.shadow_copy_id is not None:
        raise ConfigError(
            f"share {share.name}: is a shadow copy, whose options are those of its share; name that"
        )
    if share.per_client:
        raise ConfigError(f"share {share.name}: not changed: {share.per_client}")


def _no_share(name: str, samba: SambaConfiguration, tools: SambaTools) -> str:
    if not is_share_name(name):
        return f"{name!r} is no share; leave --share out for [global]"
    section = SmbConfSection(tools, samba.config_file, name, _expand(samba))
    names = {place.section for place in section.places if not place.name} - {_GLOBAL}
    near = nearest(name.lower(), sorted(names | {*_of_registry(samba, tools)}))
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `testparm -s` lists them."
    of_clients = next((each for each in section.places if depends_on_client(each)), None)
    if of_clients:
        hint += (
            f" A share that only `include = {of_clients.value}` ({of_clients.where}) defines for"
            " some clients can have no copies."
        )
    return f"there is no share {name!r} in Samba's configuration{hint}"


def _of_registry(samba: SambaConfiguration, tools: SambaTools) -> List[str]:
    """As far as they can be read. Without the shadow copies."""
    try:
        listed = tools.run("net", "conf", "listshares") if samba.registry_shares else ""
    except FsrvpdError:
        return []
    return [each.lower() for each in listed.splitlines() if "@{" not in each]


def _expand(samba: SambaConfiguration) -> Expand:
    """What Samba makes of the macros of the server."""
    name = socket.gethostname().partition(".")[0]

    def expand(value: str) -> str:
        return value.replace("%h", name).replace("%v", samba.samba_version)

    return expand
