"""What an admin can have the running daemon do, whatever way it is asked: by signal, over
Samba's message bus, over the control socket."""

from __future__ import annotations

import logging
import threading
from typing import Callable, NamedTuple, Optional, Union

from fsrvpd.configuration import Configuration, read_configuration
from fsrvpd.daemon import logs
from fsrvpd.daemon.events import report
from fsrvpd.daemon.loop import Loop
from fsrvpd.errors import FsrvpdError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.open_registry import Registry

log = logging.getLogger("fsrvpd")

Loaded = Union[tuple[str, ...], FsrvpdError]  # complaints, or why nothing has changed
Done = Callable[[Loaded], None]

# What of Samba's own configuration is looked at when the daemon starts, and then only.
_AT_START = {
    "ncalrpc_dir": "ncalrpc dir",
    "state_directory": "state directory",
    "lock_directory": "lock directory",
    "pid_directory": "pid directory",
    "private_dir": "private dir",
    "server_role": "server role",
    "workgroup": "workgroup",
}


class LogLevel(NamedTuple):
    """`fixed` is what the command line asks for, over smb.conf's `log level`."""

    fixed: Optional[int]

    def of(self, samba: SambaConfiguration) -> int:
        return self.fixed if self.fixed is not None else logs.first_level(samba.log_level) or 0


class Administration:
    """`apply` puts a configuration in force, all of it, or raises FsrvpdError and has
    changed nothing."""

    def __init__(
        self,
        loop: Loop,
        registry: Registry,
        started_with: SambaConfiguration,
        level: LogLevel,
        apply: Callable[[Configuration], None],
    ) -> None:
        self.debug_level = level.of(started_with)
        self._loop = loop
        self._registry = registry
        self._started_with = started_with
        self._level = level
        self._apply = apply
        self._waiting: list[Done] = []

    def shutdown(self) -> None:
        self._loop.stop()

    def set_debug_level(self, text: str) -> None:
        """As `smbcontrol debug` sends it. Raises: FsrvpdError."""
        number = logs.first_level(text)
        if number is None:
            raise FsrvpdError(f"debug {text}: want a level from 0 to 10")
        self._set_level(number)
        report(log, "log-level-set", "", level=number)

    def reload(self, done: Done = lambda loaded: None) -> None:
        """Read smb.conf anew, beside the loop: Samba's registry may be locked for a while.
        Whoever asks while that goes on gets the answer of a reading of its own."""
        self._waiting.append(done)
        if len(self._waiting) == 1:
            self._read()

    def _read(self) -> None:
        threading.Thread(target=self._read_in_thread, name="reload", daemon=True).start()

    def _read_in_thread(self) -> None:
        found: Union[Configuration, FsrvpdError]
        try:
            found = read_configuration(self._registry)
        except FsrvpdError as error:
            found = error
        except Exception as error:
            log.exception("smb.conf could not be read; please report this")
            found = FsrvpdError(f"{type(error).__name__}: {error}")
        self._loop.ring(lambda: self._take(found))

    def _take(self, found: Union[Configuration, FsrvpdError]) -> None:
        loaded = self._loaded(found)
        done = self._waiting.pop(0)
        done(loaded)
        if self._waiting:
            self._read()

    def _loaded(self, found: Union[Configuration, FsrvpdError]) -> Loaded:
        try:
            if isinstance(found, FsrvpdError):
                raise found
            self._apply(found)
        except FsrvpdError as error:
            report(log, "configuration-refused", f"nothing is changed: {error}")
            return error
        self._set_level(self._level.of(found.samba))
        complaints = (*found.complaints, *self._need_restart(found.samba))
        report(log, "configuration-loaded")
        tell_complaints(complaints)
        return complaints

    def _need_restart(self, samba: SambaConfiguration) -> list[str]:
        return [
            f"{name} is {getattr(samba, field)} now: it takes effect when fsrvpd is restarted"
            for field, name in _AT_START.items()
            if getattr(samba, field) != getattr(self._started_with, field)
        ]

    def _set_level(self, number: int) -> None:
        self.debug_level = number
        logs.set_level(number)


def tell_complaints(complaints: tuple[str, ...]) -> None:
    for complaint in complaints:
        report(log, "configuration-complaint", f"smb.conf: {complaint}")
