"""Samba's configuration and shares, through the registry worker.

    client = RegistryClient("/etc/samba/smb.conf", [("log level", "3")])
    client.configuration() -> SambaConfiguration
    client.share(name) -> Optional[Share]         # ports.ShareRegistry from here on
    client.expose([ShadowShare, …]), client.seal([name, …]), client.unexpose([name, …])
    client.shadow_shares() -> {name: shadow copy id}
    client.shares() -> [Share, …]                 # without shadow copies
    client.close()

The worker is a child process, because Samba's library may end its process on an error.
"""

from __future__ import annotations

import logging
import shlex
import threading
from typing import Any, Mapping, Optional, Sequence, Union

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.cluster import Warrant
from fsrvpd.protocol.ports import ShadowShare, Share
from fsrvpd.protocol.unc import normal_share
from samba_hooks.configuration import SambaConfiguration, configuration
from samba_hooks.registry.config_version import ConfigChangeDetector, ConfigVersion
from samba_hooks.registry.worker import LIBRARY
from samba_hooks.tools import SambaTools, samba_arguments
from samba_hooks.worker.process import WorkerDied, WorkerProcess, WorkerTimedOut

logger = logging.getLogger("samba_hooks.registry")

DEFAULT_TIMEOUT = 30.0  # s for each request
WORKER = "samba_hooks.registry.worker"
_MAX_CACHED_SHARES = 65_536
_BATCH = 500  # shares in one request


_Found = Union[Share, RegistryError, None]


class LibraryMissing(RegistryError):
    """libsmbconf cannot be loaded on this system."""


class RegistryClient:
    """Thread-safe: one request at a time. The first request starts the worker.

    `config_file` None is the default of this Samba; `overrides` are the (name, value) pairs of
    --option; `timeout` is in seconds and for each request.

    Every request can be repeated without harm, so one whose worker died is repeated once with
    a new worker. One that times out is not repeated: RegistryError.
    """

    def __init__(
        self,
        config_file: Optional[str] = None,
        overrides: Sequence[tuple[str, str]] = (),
        *,
        timeout: float = DEFAULT_TIMEOUT,
        library: str = LIBRARY,
    ) -> None:
        self._config_file = config_file
        self._overrides = tuple(overrides)
        self._timeout = timeout
        options = [f"--library={library}", *samba_arguments(config_file, self._overrides)]
        self._worker = WorkerProcess(WORKER, options, "registry worker", timeout, logger)
        self.warrant: Optional[Warrant] = None  # of an agent that leads a cluster
        self._lock = threading.Lock()  # held during a request
        self._memory = threading.Lock()  # guards the three below; never held for long
        self._change_detector = ConfigChangeDetector()
        self._version: Optional[ConfigVersion] = None
        self._shares: dict[str, Share] = {}

    def tools(self) -> SambaTools:
        """Samba's own tools, on the same configuration."""
        return SambaTools(self._config_file, self._overrides, self._timeout)

    def configuration(self) -> SambaConfiguration:
        """[global] as it is now. Raises: RegistryError if Samba cannot read it."""
        with self._lock:
            return configuration(**self._ask("configuration"))

    def known(self, name: str) -> Optional[Share]:
        """A share that was looked up since the last change of the configuration. Never blocks on
        the worker."""
        with self._memory:
            if self._version is None or not self._change_detector.is_current(self._version):
                return None
            return self._shares.get(normal_share(name))

    def share(self, name: str) -> Optional[Share]:
        """The worker is asked for a share that does not exist each time."""
        found: _Found = self.known(name)
        if found is None:
            with self._lock:
                found = self._look_up([name])[0]
        if isinstance(found, RegistryError):
            raise found
        return found

    def shares(self) -> list[Share]:
        """Every share that smbd offers or a mistake hides, but shadow copies; one that Samba cannot
        read has the error as its mistake. Unknown ones are read now; a look-up by somebody else
        waits for one batch at most."""
        with self._lock:
            names: list[str] = self._ask("share_names")
        found: list[_Found] = []
        while len(found) < len(names):
            found += self._first_of(names[len(found) : len(found) + _BATCH])
        shares = [
            _unreadable(name, each) if isinstance(each, RegistryError) else each
            for name, each in zip(names, found)
        ]
        return [share for share in shares if share and (share.available or share.mistake)]

    def barrier(self) -> None:
        """Wait until nobody else changes Samba's registry. Raises: RegistryError; also if
        `warrant` holds no more."""
        with self._lock:
            self._ask("barrier")

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        with self._lock:
            self._change(
                "expose",
                [share.name for share in shares],
                shares=[each._asdict() for each in shares],
            )

    def seal(self, names: Sequence[str]) -> None:
        with self._lock:
            self._change("seal", names, names=list(names))

    def disconnect(self, names: Sequence[str]) -> None:
        with self._lock:
            self._ask("disconnect", names=list(names))

    def unexpose(self, names: Sequence[str]) -> None:
        with self._lock:
            self._change("unexpose", names, names=list(names))

    def shadow_shares(self) -> Mapping[str, str]:
        with self._lock:
            marks: dict[str, str] = self._ask("shadow_shares")
            return marks

    def close(self) -> None:
        """Stop the worker. A later request would start another. A worker that is busy, perhaps
        because the registry is locked, ends with the daemon."""
        if self._lock.acquire(blocking=False):
            with self._memory:
                self._change_detector.close()
            self._worker.close()
            self._lock.release()

    def _change(self, request: str, changed: Sequence[str], **arguments: Any) -> None:
        """A change by fsrvpd moves the version, but the other shares stay known."""
        answer = self._ask(request, **arguments)
        with self._memory:
            for name in changed:
                self._shares.pop(normal_share(name), None)
            if self._version == ConfigVersion.from_json(answer["before"]):
                self._version = ConfigVersion.from_json(answer["after"])

    def _set_version(self, version: ConfigVersion) -> None:
        if version != self._version:
            self._version = version
            self._shares.clear()

    def _first_of(self, names: Sequence[str]) -> list[_Found]:
        """Some of these shares, the first at least: those that are known, or those that are not
        known and that the worker finds at once."""
        with self._lock:  # what somebody else has asked for meanwhile is known then
            known = self._known_of(names)
            is_known = [share is not None for share in known]
            alike = next((n for n, each in enumerate(is_known) if each != is_known[0]), len(names))
            return [*known[:alike]] if is_known[0] else self._look_up(names[:alike])

    def _known_of(self, names: Sequence[str]) -> list[Optional[Share]]:
        with self._memory:
            current = self._version is not None and self._change_detector.is_current(self._version)
            return [self._shares.get(normal_share(name)) if current else None for name in names]

    def _look_up(self, names: Sequence[str]) -> list[_Found]:
        """As many as the worker finds in a fraction of a second, one at least. With the lock."""
        answer = self._ask("shares", names=list(names))
        with self._memory:
            self._set_version(ConfigVersion.from_json(answer["version"]))
            return [
                self._remember(normal_share(name), fields)
                for name, fields in zip(names, answer["shares"])
            ]

    def _remember(self, key: str, fields: Optional[Mapping[str, Any]]) -> _Found:
        if fields is None:
            return None
        if "error" in fields:
            return RegistryError(fields["error"])
        share = Share(**{**fields, "vfs_objects": tuple(fields["vfs_objects"])})
        if len(self._shares) >= _MAX_CACHED_SHARES:
            self._shares.clear()
        self._shares[key] = share
        return share

    def _ask(self, request: str, **arguments: Any) -> Any:
        message = {"request": request, "arguments": arguments}
        if self.warrant is not None:
            message["warrant"] = self.warrant._asdict()
        try:
            answer = self._worker.ask(message)
        except WorkerDied as error:
            raise RegistryError(str(error)) from error
        except WorkerTimedOut as error:
            raise RegistryError(
                f"{error}; is another process holding a lock on Samba's registry.tdb?"
            ) from error
        if "no library" in answer:
            raise LibraryMissing(answer["error"])
        if "error" in answer:
            raise RegistryError(answer["error"])
        return answer["result"]


def _unreadable(name: str, error: RegistryError) -> Share:
    cure = f"look at it with `net conf showshare {shlex.quote(name)}`"
    return Share(name, path="", from_registry=True, mistake=f"{error}; {cure}")
