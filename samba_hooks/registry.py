"""Samba's configuration and shares, through the registry worker.

    client = RegistryClient("/etc/samba/smb.conf", [("log level", "3")])
    client.configuration() -> SambaConfiguration
    client.share(name) -> Optional[Share]         # ports.ShareRegistry from here on
    client.expose([ShadowShare, …]), client.seal([name, …]), client.unexpose([name, …])
    client.shadow_shares() -> {name: shadow copy id}
    client.share_names() -> [name, …]             # shares that are no shadow copies
    client.close()

The worker is a child process, because Samba's library ends a process that displeases it.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Mapping, NamedTuple, Optional, Sequence

from fsrvpd.errors import RegistryError
from fsrvpd.protocol.ports import ShadowShare, Share
from samba_hooks.configuration import SambaConfiguration, configuration
from samba_hooks.freshness import ConfigVersion, Freshness
from samba_hooks.samba_tools import SambaTools
from samba_hooks.worker import LIBRARY, protocol

logger = logging.getLogger("samba_hooks.registry")

DEFAULT_TIMEOUT = 30.0
_FAREWELL = 5.0
_MOST_KEPT = 16_384


class LibraryMissing(RegistryError):
    """libsmbconf cannot be loaded on this system."""


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: socket.socket


class RegistryClient:
    """Thread-safe: one request at a time. Starts its worker when first asked.

    `config_file` None stands for the one that Samba was built with; `overrides` are
    --option's (name, value) pairs; `timeout` is in seconds and for each request.

    Every verb can be repeated without harm, so a request whose worker died is tried once
    more with a new one. A request that took too long is not: RegistryError.
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
        self._library = library
        self._lock = threading.Lock()  # held while the worker works
        self._memory = threading.Lock()  # of the next three; never held for long
        self._worker: Optional[_Worker] = None
        self._freshness = Freshness()
        self._version: Optional[ConfigVersion] = None
        self._shares: dict[str, Share] = {}

    def tools(self) -> SambaTools:
        """Samba's own tools, on the same configuration."""
        return SambaTools(self._config_file, self._overrides, self._timeout)

    def configuration(self) -> SambaConfiguration:
        """[global] as it is now. Raises: RegistryError when Samba cannot read it."""
        with self._lock:
            return configuration(**self._ask("configuration"))

    def known(self, name: str) -> Optional[Share]:
        """A share that was asked for since the configuration changed. Waits for nobody."""
        with self._memory:
            if self._version is None or not self._freshness.is_current(self._version):
                return None
            return self._shares.get(name.lower())

    def share(self, name: str) -> Optional[Share]:
        """A share that does not exist is asked for each time."""
        known = self.known(name)
        if known is not None:
            return known
        with self._lock:
            answer = self._ask("share", name=name)
            with self._memory:
                self._adopt(_version(answer["version"]))
                return self._keep(name.lower(), answer["share"])

    def share_names(self) -> list[str]:
        """All shares that are no shadow copies of ours. Costs time with every share."""
        with self._lock:
            names: list[str] = self._ask("share_names")
            return names

    def expose(self, shares: Sequence[ShadowShare]) -> None:
        with self._lock:
            self._change("expose", [share.name for share in shares], shares=list(shares))

    def seal(self, names: Sequence[str]) -> None:
        with self._lock:
            self._change("seal", names, names=list(names))

    def unexpose(self, names: Sequence[str]) -> None:
        with self._lock:
            self._change("unexpose", names, names=list(names))

    def shadow_shares(self) -> Mapping[str, str]:
        with self._lock:
            marks: dict[str, str] = self._ask("shadow_shares")
            return marks

    def close(self) -> None:
        """End the worker. A later call would start another."""
        with self._lock:
            with self._memory:
                self._freshness.close()
            if self._worker is not None:
                self._worker.connection.close()
                _reap(self._worker.process)
                self._worker = None

    def _change(self, verb: str, changed: Sequence[str], **arguments: Any) -> None:
        """Our own change moves the version but leaves all other shares as they were."""
        answer = self._ask(verb, **arguments)
        with self._memory:
            for name in changed:
                self._shares.pop(name.lower(), None)
            if self._version == _version(answer["before"]):
                self._version = _version(answer["after"])

    def _adopt(self, version: ConfigVersion) -> None:
        if version != self._version:
            self._version = version
            self._shares.clear()

    def _keep(self, key: str, fields: Optional[Mapping[str, Any]]) -> Optional[Share]:
        if fields is None:
            return None
        share = Share(**fields)._replace(vfs_objects=tuple(fields["vfs_objects"]))
        if len(self._shares) >= _MOST_KEPT:
            self._shares.clear()
        self._shares[key] = share
        return share

    def _ask(self, verb: str, **arguments: Any) -> Any:
        request = {"verb": verb, "arguments": arguments}
        try:
            answer = self._exchange(request)
        except protocol.Closed:
            logger.warning("registry worker died during %s; trying once more with a new one", verb)
            try:
                answer = self._exchange(request)
            except protocol.Closed as error:
                raise RegistryError(
                    f"{verb}: Samba's library ended the registry worker twice; its log and "
                    f"`testparm` may say why"
                ) from error
        for level, line in answer["log"]:
            logger.log(logging.WARNING if level else logging.ERROR, "samba: %s", line)
        if "no library" in answer:
            raise LibraryMissing(answer["error"])
        if "error" in answer:
            raise RegistryError(answer["error"])
        return answer["result"]

    def _exchange(self, request: protocol.Message) -> protocol.Message:
        """Raises: Closed when the worker died, RegistryError when it took too long."""
        worker = self._worker = self._worker or self._start()
        try:
            worker.connection.settimeout(self._timeout)
            protocol.send(worker.connection, request)
            return protocol.receive(worker.connection, time.monotonic() + self._timeout)
        except socket.timeout as error:
            self._discard(worker)
            raise RegistryError(
                f"{request['verb']}: no answer from the registry worker in {self._timeout:g} s; "
                f"it was ended. Is a lock on Samba's registry.tdb held?"
            ) from error
        except protocol.Closed:
            self._discard(worker)
            raise

    def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-I", "-m", "samba_hooks.worker", f"--socket={theirs.fileno()}"]
        argv.append(f"--library={self._library}")
        if self._config_file is not None:
            argv.append(f"--configfile={self._config_file}")
        argv += [f"--option={name}={value}" for name, value in self._overrides]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own module, an argument vector
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        logger.info("registry worker started, pid %d", process.pid)
        return _Worker(process, ours)

    def _discard(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.wait()
        worker.connection.close()
        self._worker = None


def _reap(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when its socket does; if not, by force."""
    try:
        process.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _version(fields: Sequence[Any]) -> ConfigVersion:
    files, registry, sequence = fields
    return ConfigVersion(tuple(tuple(stamp) for stamp in files), registry, sequence)
