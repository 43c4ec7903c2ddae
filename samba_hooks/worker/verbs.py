"""What the worker can be asked, by name. Values in and out are plain JSON."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence

from fsrvpd.protocol.ports import ShadowShare
from samba_hooks.freshness import ConfigVersion
from samba_hooks.worker.definitions import Definitions
from samba_hooks.worker.libsmbconf import Events, Library
from samba_hooks.worker.shadow_shares import ShadowShares

# A transaction of tdb calls fdatasync four times, and for a mapped file msync as often. Not
# mapped, its records cost a system call each, which is less up to some thousand shares.
HALF_THE_SYNCS = ("use mmap", "no")


class Verbs:
    """Holds what lasts from one request to the next. Raises: RegistryError."""

    def __init__(
        self,
        library: Library,
        events: Events,
        config_file: Optional[str],
        overrides: Sequence[tuple[str, str]],
        is_wanted: Callable[[], bool],
    ) -> None:
        self._library = library
        for name, value in (*overrides, HALF_THE_SYNCS):
            library.override(name, value)
        self._definitions = Definitions(library, config_file)
        self._definitions.refresh()
        self._events = events
        self._is_wanted = is_wanted
        self._shadows: Optional[ShadowShares] = None
        self._verbs: Mapping[str, Callable[..., Any]] = {
            "configuration": self._configuration,
            "share": self._share,
            "share_names": self._share_names,
            "expose": self._expose,
            "seal": self._seal,
            "unexpose": self._unexpose,
            "shadow_shares": lambda: self._opened().marked(),
        }

    def run(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Raises: RegistryError, KeyError for a verb that does not exist."""
        return self._verbs[verb](**arguments)

    def close(self) -> None:
        if self._shadows is not None:
            self._shadows.close()

    def _opened(self) -> ShadowShares:
        """Registry and message bus make files: not before they are needed, since whoever only
        reads the configuration needs neither."""
        if self._shadows is None:
            self._events.join_bus()
            self._shadows = ShadowShares(
                self._library, self._definitions, self._events, self._is_wanted
            )
        return self._shadows

    def _configuration(self) -> Mapping[str, Any]:
        self._definitions.refresh()
        return {
            "parameters": self._definitions.defaults,
            "config_file": self._definitions.config_file,
            "samba_version": self._library.samba_version(),
            "server_role": self._library.server_role(),
        }

    def _share(self, name: str) -> Mapping[str, Any]:
        """The version is that of the configuration in which the share was found or not."""
        definition = self._definitions.find(name)
        share = definition.share()._asdict() if definition else None
        return {"share": share, "version": self._definitions.version}

    def _share_names(self) -> list[str]:
        names = self._definitions.names()
        if not self._library.registry_shares_enabled():
            return names
        known = {name.lower() for name in names}
        listed = [name for name in self._opened().names() if name.lower() not in known]
        marked = self._opened().marked()
        return [name for name in [*names, *listed] if name not in marked]

    def _expose(self, shares: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
        before = self._definitions.version
        self._opened().expose([ShadowShare(*share) for share in shares])
        return self._moved_from(before)

    def _seal(self, names: Sequence[str]) -> Mapping[str, Any]:
        before = self._definitions.version
        self._opened().seal(names)
        return self._moved_from(before)

    def _unexpose(self, names: Sequence[str]) -> Mapping[str, Any]:
        before = self._definitions.version
        self._opened().unexpose(names)
        return self._moved_from(before)

    def _moved_from(self, before: ConfigVersion) -> Mapping[str, Any]:
        return {"before": before, "after": self._definitions.version}
