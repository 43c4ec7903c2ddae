"""Samba's shares as its tools print them: for `net_commands`."""

from __future__ import annotations

from functools import cached_property
from typing import FrozenSet, Iterator, List, Optional

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.unc import normal_share
from samba_hooks import testparm
from samba_hooks.registry import per_client, usershares
from samba_hooks.registry.per_client import PerClient
from samba_hooks.registry.share_definition import (
    COPY_MARKER,
    Defaults,
    Definition,
    as_read,
    charset_of,
    is_share_name,
)
from samba_hooks.tools import SambaTools


class PrintedShares:
    """The configuration of one moment. Each question is one process, and asked at most once,
    however many shares there are. Every member may raise RegistryError."""

    def __init__(self, tools: SambaTools) -> None:
        self._tools = tools
        self.sections = testparm.sections(tools.testparm())
        self.defaults = Defaults(self.sections.pop("global"))
        self._names = {normal_share(name): name for name in self.sections}

    def find(self, name: str) -> Optional[Definition]:
        """A share by name, whatever its case; None if there is none."""
        spelled = as_read(name, charset_of(self.defaults))
        known = self._names.get(normal_share(spelled)) if is_share_name(name) else None
        if known is None:
            return usershares.find(name, self.defaults)
        section, of_registry = self.sections[known], normal_share(known) in self._of_registry
        reason = self._per_client(known, section, of_registry)
        return Definition(known, section, self.defaults, of_registry, reason)

    def all(self) -> Iterator[Definition]:
        """Every share that is no shadow copy."""
        of_admins = [name for name, found in self.sections.items() if COPY_MARKER not in found]
        of_users = [name for name in usershares.names(self.defaults) if name not in self._names]
        for name in (*of_admins, *of_users):
            definition = self.find(name)
            if definition is not None:
                yield definition

    def _per_client(self, name: str, section: testparm.Parameters, of_registry: bool) -> str:
        """See `registry.per_client`."""
        found = self._of_smb_conf
        reason = found.everywhere if of_registry else found.reason(name)
        if not reason and "include" in section:
            found = per_client.of_registry_share(name, self._registry_includes, None)
            reason = found.reason(name)
        return reason or per_client.of_config_file(self.defaults["config file"])

    @cached_property
    def _of_smb_conf(self) -> PerClient:
        smb_conf = self._tools.config_file or self._tools.default_config_file()
        return per_client.read(smb_conf, self._registry_includes, None)

    @cached_property
    def _of_registry(self) -> FrozenSet[str]:
        """What the registry holds, by `normal_share`."""
        listed = self._tools.run("net", "conf", "listshares").splitlines()
        return frozenset(map(normal_share, listed))

    def _registry_includes(self, section: str) -> List[str]:
        """`net` fails, and does not say that this is why, if the section does not exist."""
        if normal_share(section) not in self._of_registry:
            return []
        lines = self._tools.run("net", "conf", "getincludes", argument(section)).splitlines()
        return [line.partition("=")[2].strip() for line in lines if "=" in line]


def argument(name: str) -> str:
    """The name. Raises: RegistryError if a tool would take it for an option."""
    if name.startswith("-"):
        raise RegistryError(f"share {name}: Samba's tools would take its name for an option")
    return name
