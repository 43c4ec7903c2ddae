"""The control socket of a node that does not lead: what concerns its process is answered, what
concerns sets is said to be the leader's."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Callable, Sequence

from fsrvpd.config.load import Configuration
from fsrvpd.daemon.control.admin_actions import AdminActions, LogLevel, ReloadResult
from fsrvpd.daemon.control.smbcontrol import SmbcontrolService
from fsrvpd.daemon.control.socket_server import ControlRequest, ControlSocket, Handler
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.errors import FsrvpdError
from fsrvpd.samba_command_line import control_socket
from samba_hooks.messaging import MessageBus
from samba_hooks.registry.open_registry import Registry

OF_THE_LEADER = (
    *("list-sets", "show-set", "abort-set", "delete-set", "create-set", "complete-set"),
    *("status", "history", "list-kept", "keep-set", "release-set", "delete-kept"),
    *("check-path", "list-snapshots", "prune", "self-test", "watch-events"),
)


class DoorAdmins:
    """`who_leads` says it in words."""

    def __init__(
        self,
        loop: EventLoop,
        registry: Registry,
        configuration: Configuration,
        level: LogLevel,
        apply: Callable[[Configuration], None],
        who_leads: Callable[[], str],
    ) -> None:
        samba = configuration.samba
        self.actions = AdminActions(loop, registry, samba, level, apply)
        self._who_leads = who_leads
        bus = MessageBus(samba.private_dir, samba.lock_directory)
        self._smbcontrol = SmbcontrolService(loop, bus, self.actions)
        path, group = control_socket(samba.state_directory), configuration.settings.admin_group
        self._socket = ControlSocket(loop, path, self._handlers(), group)

    def close(self) -> None:
        self._socket.close()
        self._smbcontrol.close()

    def _handlers(self) -> dict[str, Handler]:
        of_process: dict[str, Callable[[Sequence[str]], Any]] = {
            "ping": lambda parameters: {"pid": os.getpid()},
            "debug": self._debug,
            "debuglevel": lambda parameters: self._level(),
            "shutdown": self._shutdown,
        }
        return {
            **{name: partial(_answer, handler) for name, handler in of_process.items()},
            **dict.fromkeys(OF_THE_LEADER, self._leave_to_leader),
            "reload-config": self._reload,
        }

    def _level(self) -> Any:
        return {"pid": os.getpid(), "level": self.actions.debug_level}

    def _debug(self, parameters: Sequence[str]) -> Any:
        if len(parameters) != 1:
            raise FsrvpdError("usage: debug LEVEL")
        self.actions.set_debug_level(parameters[0])
        return self._level()

    def _shutdown(self, parameters: Sequence[str]) -> Any:
        self.actions.shutdown()
        return {"pid": os.getpid()}

    def _reload(self, parameters: Sequence[str], request: ControlRequest) -> None:
        def done(result: ReloadResult) -> None:
            if isinstance(result, FsrvpdError):
                request.fail(f"the previous configuration stays in force: {result}")
            else:
                request.finish({"warnings": list(result)})

        self.actions.reload(done)

    def _leave_to_leader(self, parameters: Sequence[str], request: ControlRequest) -> None:
        raise FsrvpdError(f"this node does not lead the cluster; {self._who_leads()}")


def _answer(
    handler: Callable[[Sequence[str]], Any], parameters: Sequence[str], request: ControlRequest
) -> None:
    request.finish(handler(parameters))
