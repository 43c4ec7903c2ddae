"""What `samba_hooks.registry` does, by Samba's command line tools: tens of milliseconds each.

For systems whose libsmbconf cannot be loaded; see `samba_hooks.open_registry`. The same
methods with the same meaning, except that each share is a transaction of its own: a
failure undoes the shares made before it, and a power cut in between leaves some.

Nobody gets in through a share whose security descriptor is not in place: it is made
with `available = no`, and taken out of use in the same way before its descriptor goes.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from typing import Mapping, Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare, Share
from samba_hooks import dump
from samba_hooks.configuration import SambaConfiguration, configuration
from samba_hooks.inheritance import parameters_of
from samba_hooks.samba_tools import SambaTools
from samba_hooks.share_definition import COPY_MARK, Definition, is_share_name

logger = logging.getLogger("samba_hooks.commands")

DEFAULT_TIMEOUT = 30.0
_UNCLEAN = frozenset("\0\r\n")
# What smb.conf calls them, and what Samba's library does.
_ROLES = {
    "standalone server": "ROLE_STANDALONE",
    "member server": "ROLE_DOMAIN_MEMBER",
    "classic primary domain controller": "ROLE_DOMAIN_PDC",
    "classic backup domain controller": "ROLE_DOMAIN_BDC",
    "active directory domain controller": "ROLE_ACTIVE_DIRECTORY_DC",
    "ipa domain controller": "ROLE_IPA_DC",
}
_SECURITY_OF_MEMBERS = ("ads", "domain")


class CommandRegistry:
    """Thread-safe, with the interface of `registry.RegistryClient`."""

    def __init__(
        self,
        config_file: Optional[str] = None,
        overrides: Sequence[tuple[str, str]] = (),
        *,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._tools = SambaTools(config_file, overrides, timeout)
        self._lock = threading.RLock()

    def tools(self) -> SambaTools:
        """Samba's own tools, on the same configuration."""
        return self._tools

    def configuration(self) -> SambaConfiguration:
        parameters = self._sections()["global"]
        return configuration(
            parameters,
            config_file=self._tools.config_file or "",
            samba_version=self._tools.version(),
            server_role=_server_role(parameters),
        )

    def known(self, name: str) -> Optional[Share]:
        """Nothing is remembered."""
        return None

    def share(self, name: str) -> Optional[Share]:
        definition = self._definition(name, self._sections())
        return definition.share() if definition else None

    def share_names(self) -> list[str]:
        return [
            name
            for name, own in self._sections().items()
            if name != "global" and COPY_MARK not in own
        ]

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        with self._lock:
            sections = self._sections()
            planned = [(share, self._parameters(share, sections)) for share in shares]
            made: list[str] = []
            try:
                for share, parameters in planned:
                    made.append(share.name)
                    self._create(share, parameters)
            except RegistryError:
                self._undo(made)
                raise

    def seal(self, names: Sequence[str]) -> None:
        with self._lock:
            sections = self._sections()
            for name in names:
                own = self._marked(name, sections)
                if own is None:
                    raise RegistryError(f"share {name}: gone from Samba's registry")
                self._seal(name, Definition(name, own, sections["global"], True))

    def unexpose(self, names: Sequence[str]) -> None:
        with self._lock:
            sections = self._sections()
            present = [name for name in names if self._marked(name, sections) is not None]
            for name in present:
                self._remove(name)
            if present:
                self._tell("reload-config")

    def shadow_shares(self) -> Mapping[str, str]:
        return {name: own[COPY_MARK] for name, own in self._sections().items() if COPY_MARK in own}

    def close(self) -> None:
        """Nothing is held between calls."""

    def _sections(self) -> dict[str, dump.Parameters]:
        return dump.sections(self._tools.testparm())

    def _definition(
        self, name: str, sections: Mapping[str, dump.Parameters]
    ) -> Optional[Definition]:
        if not is_share_name(name):
            return None
        for known, own in sections.items():
            if known.lower() == name.lower():
                return Definition(known, own, sections["global"], self._is_of_registry(known))
        return None

    def _is_of_registry(self, name: str) -> bool:
        listed = self._tools.run("net", "conf", "listshares").splitlines()
        return name.lower() in (line.lower() for line in listed)

    def _parameters(
        self, share: ShadowShare, sections: Mapping[str, dump.Parameters]
    ) -> list[tuple[str, str]]:
        base = self._definition(share.base, sections)
        if base is None:
            raise RegistryError(f"share {share.base}: gone from Samba's configuration")
        existing = self._definition(share.name, sections)
        if existing is not None and existing.own.get(COPY_MARK) != share.shadow_copy_id:
            raise RegistryError(f"share {share.name}: exists and is not this shadow copy")
        if not dump.is_yes(sections["global"]["registry shares"]):
            raise RegistryError(
                "smb.conf has `registry shares = no`, so that no share can be added: "
                "set `registry shares = yes` in [global]"
            )
        return parameters_of(base, share)

    def _create(self, share: ShadowShare, parameters: Sequence[tuple[str, str]]) -> None:
        available = dict(parameters).get("available", "Yes")
        self._import(share.name, [*dict([*parameters, ("available", "No")]).items()])
        descriptor = self._descriptor(share.base)
        if descriptor != self._descriptor(share.name):
            self._tools.run("sharesec", share.name, f"--setsddl={descriptor}")
        self._set(share.name, "available", available)

    def _import(self, name: str, parameters: Sequence[tuple[str, str]]) -> None:
        """One transaction of Samba's for the share and all its parameters."""
        lines = [_clean(name, f"[{name}]")]
        lines += [_clean(name, f"{key} = {value}") for key, value in parameters]
        with tempfile.NamedTemporaryFile(prefix="fsrvpd-share-") as file:
            file.write("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
            file.flush()
            self._tools.run("net", "conf", "import", file.name, name)

    def _descriptor(self, name: str) -> str:
        return self._tools.run("sharesec", _argument(name), "--viewsddl").strip()

    def _seal(self, name: str, share: Definition) -> None:
        if dump.is_yes(share.value("read only")) and not share.value("write list"):
            return
        self._set(name, "read only", "Yes")
        if share.value("write list"):
            self._set(name, "write list", "")
        self._tell("reload-config")
        self._tell("close-share", name)

    def _remove(self, name: str) -> None:
        self._set(name, "available", "No")
        self._tell("reload-config")
        self._tell("close-share", name)
        self._delete_descriptor(name)
        self._tools.run("net", "conf", "delshare", name)

    def _delete_descriptor(self, name: str) -> None:
        """sharesec fails where the share has none of its own, and does not tell that apart
        from other failures: so it is given one first."""
        self._tools.run("sharesec", name, f"--setsddl={self._descriptor(name)}")
        self._tools.run("sharesec", name, "--delete")

    def _undo(self, names: Sequence[str]) -> None:
        """The last of them may not have come into being; what cannot be undone is said."""
        for name in names:
            try:
                self.unexpose([name])
            except RegistryError as error:
                logger.error("share %s: left behind by a failed expose: %s", name, error)

    def _set(self, name: str, parameter: str, value: str) -> None:
        self._tools.run("net", "conf", "setparm", _argument(name), parameter, value)

    def _tell(self, *message: str) -> None:
        """smbd may not run; then there is no connection to close either."""
        try:
            self._tools.run("smbcontrol", "smbd", *message)
        except RegistryError as error:
            logger.warning("smbd not told: %s", error)

    def _marked(
        self, name: str, sections: Mapping[str, dump.Parameters]
    ) -> Optional[dump.Parameters]:
        """The section of a share of ours, None when it is gone."""
        definition = self._definition(_argument(name), sections)
        if definition is None:
            return None
        if COPY_MARK not in definition.own:
            raise RegistryError(f"share {name}: no shadow copy of ours, left alone")
        return dict(definition.own)


def _argument(name: str) -> str:
    """Raises: RegistryError for a name that a tool would take for an option."""
    if name.startswith("-"):
        raise RegistryError(f"share {name}: its name looks like an option to Samba's tools")
    return name


def _clean(name: str, line: str) -> str:
    """A line of an smb.conf. Raises: RegistryError when it would be read as something else."""
    if _UNCLEAN & {*line} or line.endswith("\\"):
        raise RegistryError(f"share {name}: {line!r} cannot stand in Samba's configuration")
    return line


def _server_role(parameters: Mapping[str, str]) -> str:
    """`server role = auto`, the default, leaves it to `security`."""
    role = parameters["server role"].lower()
    if role != "auto":
        return _ROLES.get(role, role)
    is_member = parameters["security"].lower() in _SECURITY_OF_MEMBERS
    return "ROLE_DOMAIN_MEMBER" if is_member else "ROLE_STANDALONE"
