"""The requests that the worker handles, by name. Arguments and results are plain JSON."""

from __future__ import annotations

import contextlib
import time
from dataclasses import fields
from typing import Any, Callable, Mapping, Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes
from fsrvpd.protocol.cluster import Warrant
from fsrvpd.protocol.ports import ShadowShare, Share
from fsrvpd.protocol.unc import normal_share
from samba_hooks.registry.config_version import ConfigVersion
from samba_hooks.registry.worker import clustering
from samba_hooks.registry.worker.events import Events
from samba_hooks.registry.worker.libsmbconf import Library
from samba_hooks.registry.worker.loaded_shares import Found, LoadedShares
from samba_hooks.registry.worker.shadow_shares import ShadowShares

# A transaction of tdb calls fdatasync four times, and msync as often if the file is mapped.
# Without mmap every record costs a system call, which is faster up to some thousand shares. A
# clustered Samba refuses to open a database that is not mapped.
TDB_WITHOUT_MMAP = ("use mmap", "no")


class RequestHandler:
    """Keeps the state between requests. Raises: RegistryError."""

    def __init__(
        self,
        library: Library,
        events: Events,
        config_file: Optional[str],
        overrides: Sequence[tuple[str, str]],
        daemon_is_connected: Callable[[], bool],
    ) -> None:
        self._library = library
        for name, value in overrides:
            library.override(name, value)
        self._clustered: Optional[bool] = None  # None: of no interest here
        if TDB_WITHOUT_MMAP[0] not in dict(overrides):
            self._clustered = clustering.is_on(
                library, config_file or library.default_config_file()
            )
            if not self._clustered:
                library.override(*TDB_WITHOUT_MMAP)
        self._shares = LoadedShares(library, config_file)
        self._shares.refresh()
        self._events = events
        self._daemon_is_connected = daemon_is_connected
        self._shadows: Optional[ShadowShares] = None
        self._warrant: Optional[Warrant] = None  # of the request
        self._next_refresh = 0.0  # s, of time.monotonic
        self._handlers: Mapping[str, Callable[..., Any]] = {
            "configuration": self._configuration,
            "shares": lambda names: self._found(self._shares.find_all(names)),
            "share_names": self._share_names,
            "barrier": lambda: self._opened().barrier(),
            "expose": self._expose,
            "seal": self._seal,
            "disconnect": lambda names: self._opened().disconnect(names),
            "unexpose": self._unexpose,
            "shadow_shares": lambda: self._opened().with_marker(),
        }

    @property
    def config_files(self) -> list[str]:
        """Those that were read, or would be read if they existed."""
        return [file.path for file in self._shares.version.files]

    def refresh_early(self) -> None:
        """Read a configuration that has changed before somebody asks, for a fifth of the time at
        most, since who asks meanwhile has to wait. What is wrong with it is said to who asks."""
        if time.monotonic() < self._next_refresh:
            return
        began = time.process_time()
        with contextlib.suppress(RegistryError):
            self._shares.refresh()
        self._next_refresh = time.monotonic() + 4 * (time.process_time() - began)

    def run(
        self,
        request: str,
        arguments: Mapping[str, Any],
        warrant: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Raises: RegistryError; KeyError if there is no such request."""
        self._warrant = None if warrant is None else Warrant(**warrant)
        result = self._handlers[request](**arguments)
        if self._clustered not in (None, is_yes(self._shares.defaults["clustering"])):
            raise SystemExit("`clustering` has changed, which takes a new process")
        return result

    def close(self) -> None:
        self._shares.close()

    def _opened(self) -> ShadowShares:
        """Opened when first needed: registry and message bus create files, and reading the
        configuration needs neither."""
        if self._shadows is None:
            self._events.join_bus()
            self._shadows = ShadowShares(
                self._library, self._shares, self._events, self._daemon_is_connected
            )
        self._shadows.warrant = self._warrant
        return self._shadows

    def _configuration(self) -> Mapping[str, Any]:
        self._shares.refresh()
        return {
            "parameters": self._shares.defaults,
            "config_file": self._shares.config_file,
            "samba_version": self._library.samba_version(),
            "server_role": self._library.server_role(),
        }

    def _found(self, found: Sequence[Found]) -> Mapping[str, Any]:
        """`version` is that of the configuration that was searched."""
        return {"shares": [_answer(each) for each in found], "version": self._version()}

    def _share_names(self) -> list[str]:
        """Without shadow copies, but some may turn out to be none of the shares of `shares`."""
        names = self._shares.names()
        if self._library.registry_shares_enabled():
            with_marker = self._opened().with_marker()
            names = _joined(names, self._opened().names())
            names = [name for name in names if name not in with_marker]
        return _joined(names, self._shares.usershares())

    def _expose(self, shares: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        before = self._shares.version
        self._opened().expose([ShadowShare(**share) for share in shares])
        return self._moved_from(before)

    def _seal(self, names: Sequence[str]) -> Mapping[str, Any]:
        before = self._shares.version
        self._opened().seal(names)
        return self._moved_from(before)

    def _unexpose(self, names: Sequence[str]) -> Mapping[str, Any]:
        before = self._shares.version
        self._opened().unexpose(names)
        return self._moved_from(before)

    def _moved_from(self, before: ConfigVersion) -> Mapping[str, Any]:
        return {"before": before.to_json(), "after": self._version()}

    def _version(self) -> Mapping[str, Any]:
        return self._shares.version.to_json()


def _answer(found: Found) -> Optional[Mapping[str, Any]]:
    """What to pass to `Share` to have it again, or why it cannot be read."""
    if found is None:
        return None
    if isinstance(found, RegistryError):
        return {"error": str(found)}
    share = found.share()
    return {field.name: getattr(share, field.name) for field in fields(Share) if field.init}


def _joined(names: Sequence[str], others: Sequence[str]) -> list[str]:
    """A share of `others` is hidden by one of the same name."""
    known = {normal_share(name) for name in names}
    return [*names, *(name for name in others if normal_share(name) not in known)]
