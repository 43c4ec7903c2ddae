"""What `registry.client` does, with Samba's command line tools: tens of milliseconds each.

A fallback for systems whose libsmbconf cannot be loaded; see
`samba_hooks.registry.open_registry`. The methods have the same meaning, except that each share is
a transaction of its own: a failure removes the shares created before it, and a power cut in
between leaves some.

Nobody can use a share whose security descriptor is not set: the share is created with `available
= no`, and made unavailable in the same way before its descriptor is deleted.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from typing import Mapping, Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes
from fsrvpd.protocol.ports import ShadowShare, Share
from samba_hooks.configuration import (
    ROLE_DOMAIN_BDC,
    ROLE_DOMAIN_MEMBER,
    ROLE_DOMAIN_PDC,
    ROLE_STANDALONE,
    SambaConfiguration,
    configuration,
)
from samba_hooks.registry.inheritance import parameters_of
from samba_hooks.registry.printed_shares import PrintedShares, argument
from samba_hooks.registry.share_definition import (
    COPY_MARKER,
    SEALED_ADMINS,
    Definition,
)
from samba_hooks.tools import SambaTools

logger = logging.getLogger("samba_hooks.registry.net_commands")

DEFAULT_TIMEOUT = 30.0  # s for each command
_UNCLEAN = frozenset("\0\r\n")
# Names in smb.conf and in Samba's library.
_ROLES = {
    "standalone server": ROLE_STANDALONE,
    "member server": ROLE_DOMAIN_MEMBER,
    "classic primary domain controller": ROLE_DOMAIN_PDC,
    "classic backup domain controller": ROLE_DOMAIN_BDC,
    "active directory domain controller": "ROLE_ACTIVE_DIRECTORY_DC",
    "ipa domain controller": "ROLE_IPA_DC",
}
_SECURITY_OF_MEMBERS = ("ads", "domain")


class CommandRegistry:
    """Thread-safe, with the interface of `RegistryClient`."""

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
        parameters = self._printed().defaults
        return configuration(
            parameters,
            config_file=self._tools.config_file or self._tools.default_config_file(),
            samba_version=self._tools.version(),
            server_role=_server_role(parameters),
        )

    def known(self, name: str) -> Optional[Share]:
        """Nothing is remembered."""
        return None

    def share(self, name: str) -> Optional[Share]:
        definition = self._printed().find(name)
        return definition.share() if definition else None

    def shares(self) -> list[Share]:
        shares = (definition.share() for definition in self._printed().all())
        return [share for share in shares if share.available or share.mistake]

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        with self._lock:
            printed = self._printed()
            planned = [(share, self._parameters(share, printed)) for share in shares]
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
            printed = self._printed()
            for name in names:
                share = self._with_marker(name, printed)
                if share is None:
                    raise RegistryError(f"share {name} no longer exists in Samba's registry")
                self._seal(name, share)

    def disconnect(self, names: Sequence[str]) -> None:
        with self._lock:
            for name in names:
                self._tell("close-share", name)

    def unexpose(self, names: Sequence[str]) -> None:
        with self._lock:
            printed = self._printed()
            present = [name for name in names if self._with_marker(name, printed) is not None]
            for name in present:
                self._remove(name)
            if present:
                self._tell("reload-config")

    def shadow_shares(self) -> Mapping[str, str]:
        return {
            name: section[COPY_MARKER]
            for name, section in self._printed().sections.items()
            if COPY_MARKER in section
        }

    def close(self) -> None:
        """Nothing is held between calls."""

    def _printed(self) -> PrintedShares:
        return PrintedShares(self._tools)

    def _parameters(self, share: ShadowShare, printed: PrintedShares) -> list[tuple[str, str]]:
        base = printed.find(share.base)
        if base is None:
            raise RegistryError(f"share {share.base} no longer exists in Samba's configuration")
        existing = printed.find(share.name)
        if existing is not None and existing.section.get(COPY_MARKER) != share.shadow_copy_id:
            raise RegistryError(f"share {share.name} exists, but is not this shadow copy")
        if not is_yes(printed.defaults["registry shares"]):
            raise RegistryError(
                "no share can be added, because smb.conf has `registry shares = no`; type"
                " `fsrvpctl setup`"
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
        """Create the share with all its parameters in one transaction."""
        lines = [_clean(name, f"[{name}]")]
        lines += [_clean(name, f"{key} = {value}") for key, value in parameters]
        with tempfile.NamedTemporaryFile(prefix="fsrvpd-share-") as file:
            file.write("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
            file.flush()
            self._tools.run("net", "conf", "import", file.name, name)

    def _descriptor(self, name: str) -> str:
        return self._tools.run("sharesec", argument(name), "--viewsddl").strip()

    def _seal(self, name: str, share: Definition) -> None:
        admins = share.value(SEALED_ADMINS)
        if is_yes(share.value("read only")) and not share.value("write list") and not admins:
            return
        self._set(name, "read only", "Yes")
        if share.value("write list"):
            self._set(name, "write list", "")
        if admins:
            self._set(name, "admin users", admins)
            self._set(name, SEALED_ADMINS, "")
        self._tell("reload-config")
        self._tell("close-share", name)

    def _remove(self, name: str) -> None:
        self._set(name, "available", "No")
        self._tell("reload-config")
        self._tell("close-share", name)
        self._delete_descriptor(name)
        self._tools.run("net", "conf", "delshare", name)

    def _delete_descriptor(self, name: str) -> None:
        """sharesec fails if the share has no descriptor of its own, and does not distinguish that
        from other failures: so it gets one first."""
        self._tools.run("sharesec", name, f"--setsddl={self._descriptor(name)}")
        self._tools.run("sharesec", name, "--delete")

    def _undo(self, names: Sequence[str]) -> None:
        """Remove them; the last may not exist. A failure is logged."""
        for name in names:
            try:
                self.unexpose([name])
            except RegistryError as error:
                logger.error("share %s could not be removed after a failed expose: %s", name, error)

    def _set(self, name: str, parameter: str, value: str) -> None:
        self._tools.run("net", "conf", "setparm", argument(name), parameter, value)

    def _tell(self, *message: str) -> None:
        """If smbd is not running, there is no connection to close either."""
        try:
            self._tools.run("smbcontrol", "smbd", *message)
        except RegistryError as error:
            logger.warning("smbd could not be notified: %s", error)

    def _with_marker(self, name: str, printed: PrintedShares) -> Optional[Definition]:
        """A shadow copy share, None if it no longer exists."""
        definition = printed.find(argument(name))
        if definition is not None and COPY_MARKER not in definition.section:
            raise RegistryError(f"share {name} was not created by fsrvpd; it is left alone")
        return definition


def _clean(name: str, line: str) -> str:
    """A line of smb.conf. Raises: RegistryError if Samba would read it as something else."""
    if _UNCLEAN & {*line} or line.endswith("\\"):
        raise RegistryError(f"share {name}: {line!r} is not a valid line of smb.conf")
    return line


def _server_role(parameters: Mapping[str, str]) -> str:
    """With `server role = auto`, the default, `security` decides."""
    role = parameters["server role"].lower()
    if role != "auto":
        return _ROLES.get(role, role)
    is_member = parameters["security"].lower() in _SECURITY_OF_MEMBERS
    return ROLE_DOMAIN_MEMBER if is_member else ROLE_STANDALONE
