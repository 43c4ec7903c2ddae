"""What an admin can ask of the running daemon, whichever way the request comes: by signal, over
Samba's message bus, over the control socket."""

from __future__ import annotations

import logging
import threading
from typing import Callable, NamedTuple, Optional, Union

from fsrvpd.config.load import Configuration, add_shares, read_configuration
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.log import levels
from fsrvpd.daemon.log.events import report
from fsrvpd.errors import ConfigError, FsrvpdError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.open_registry import Registry

log = logging.getLogger("fsrvpd")

ReloadResult = Union[tuple[str, ...], FsrvpdError]  # warnings, or why nothing has changed
Done = Callable[[ReloadResult], None]

# Parameters of Samba that are read only when the daemon starts: field and name.
_NEED_RESTART = {
    "ncalrpc_dir": "ncalrpc dir",
    "state_directory": "state directory",
    "lock_directory": "lock directory",
    "pid_directory": "pid directory",
    "private_dir": "private dir",
    "server_role": "server role",
    "workgroup": "workgroup",
}


MOST_WARNINGS = 20  # in the log at one time


class LogLevel(NamedTuple):
    """`fixed` is the level from the command line, which overrides smb.conf's `log level`."""

    fixed: Optional[int]

    def of(self, samba: SambaConfiguration) -> int:
        return self.fixed if self.fixed is not None else levels.first_level(samba.log_level) or 0


class AdminActions:
    """Belongs to the loop's thread. `apply` puts a configuration in force, or raises and has
    changed nothing."""

    def __init__(
        self,
        loop: EventLoop,
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
        self._pending: list[Done] = []

    def shutdown(self) -> None:
        self._loop.stop()

    def set_debug_level(self, text: str) -> None:
        """As `smbcontrol debug` sends it. Raises: FsrvpdError."""
        number = levels.first_level(text)
        if number is None or number > levels.HIGHEST:
            most = levels.HIGHEST
            raise FsrvpdError(f"debug {text}: the level must be a number from 0 to {most}")
        self._set_level(number)
        report(log, "log-level-set", "", level=number)

    def reload(self, done: Done = lambda result: None) -> None:
        """Read smb.conf in a thread, since Samba's registry may be locked for a while. A request
        that comes meanwhile causes another read, whose result it gets."""
        self._pending.append(done)
        if len(self._pending) == 1:
            self._read()

    def check_shares(self, started_with: Configuration) -> None:
        """Log what is wrong with shares, which a reload says too, in a thread."""

        def check() -> None:
            found = _attempt(lambda: add_shares(started_with, self._registry))
            if isinstance(found, FsrvpdError):
                log.error("the shares could not be checked: %s", found)
                return
            log_warnings(tuple(each for each in found.problems() if each not in known))

        known = started_with.problems()
        try:
            threading.Thread(target=check, name="check", daemon=True).start()
        except RuntimeError as error:
            log.error("the shares could not be checked: %s", error)

    def _read(self) -> None:
        try:
            threading.Thread(target=self._read_in_thread, name="reload", daemon=True).start()
        except RuntimeError as error:  # the limit of threads or of memory is reached
            failure = FsrvpdError(str(error))
            self._loop.call_soon_threadsafe(lambda: self._take(failure))

    def _read_in_thread(self) -> None:
        found = _attempt(lambda: read_configuration(self._registry))
        self._loop.call_soon_threadsafe(lambda: self._take(found))

    def _take(self, found: Union[Configuration, FsrvpdError]) -> None:
        done = self._pending.pop(0)
        try:
            done(self._load(found))
        finally:
            if self._pending:
                self._read()

    def _load(self, found: Union[Configuration, FsrvpdError]) -> ReloadResult:
        try:
            if isinstance(found, FsrvpdError):
                raise found
            if found.faults:
                raise ConfigError("; ".join(found.faults))
            self._apply(found)
        except FsrvpdError as error:
            return _refused(error)
        except Exception as error:
            log.exception("the configuration could not be applied; please report this")
            return _refused(FsrvpdError(f"{type(error).__name__}: {error}"))
        self._set_level(self._level.of(found.samba))
        warnings = (*found.problems(), *self._need_restart(found.samba))
        report(log, "configuration-loaded")
        log_warnings(warnings)
        return warnings

    def _need_restart(self, samba: SambaConfiguration) -> list[str]:
        return [
            f"{name} is {getattr(samba, field)} now, which takes effect when fsrvpd is restarted"
            for field, name in _NEED_RESTART.items()
            if getattr(samba, field) != getattr(self._started_with, field)
        ]

    def _set_level(self, number: int) -> None:
        self.debug_level = number
        levels.set_level(number)


def _refused(error: FsrvpdError) -> FsrvpdError:
    report(log, "configuration-refused", f"the previous configuration stays in force: {error}")
    return error


def _attempt(read: Callable[[], Configuration]) -> Union[Configuration, FsrvpdError]:
    try:
        return read()
    except FsrvpdError as error:
        return error
    except Exception as error:
        log.exception("smb.conf could not be read; please report this")
        return FsrvpdError(f"{type(error).__name__}: {error}")


def log_warnings(warnings: tuple[str, ...]) -> None:
    for warning in warnings[:MOST_WARNINGS]:
        report(log, "configuration-warning", f"smb.conf: {warning}")
    if len(warnings) > MOST_WARNINGS:
        left = len(warnings) - MOST_WARNINGS
        report(log, "configuration-warning", f"{left:,} more; fsrvpctl check-config lists them")
