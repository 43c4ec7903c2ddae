"""tevent, the event loop of Samba's library, and Samba's message bus on it."""

from __future__ import annotations

from typing import Any, Callable

from fsrvpd.errors import RegistryError
from samba_hooks.registry.worker.libsmbconf import Library, samba_ffi
from samba_hooks.worker.library import LOCATION

_TEVENT_FD_READ = 1


class Events:
    """tevent's loop with Samba's message bus."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._context = library.call.tevent_context_init(samba_ffi.NULL)
        self._handlers: list[Any] = []
        self._bus: Any = None

    def on_readable(self, descriptor: int, function: Callable[[], None]) -> None:
        def handler(context: Any, event: Any, flags: int, private: Any) -> None:
            function()

        callback = samba_ffi.callback("tevent_fd_handler_t", handler)
        self._handlers.append(callback)
        self._library.call._tevent_add_fd(
            self._context,
            self._context,
            descriptor,
            _TEVENT_FD_READ,
            callback,
            samba_ffi.NULL,
            LOCATION,
            LOCATION,
        )

    def run_once(self) -> None:
        """Wait for one event and handle it."""
        with self._library.frame():
            self._library.call._tevent_loop_once(self._context, LOCATION)

    def join_bus(self) -> None:
        """smb.conf must be loaded. Raises: RegistryError."""
        with self._library.frame():
            self._bus = self._library.call.messaging_init(samba_ffi.NULL, self._context)
        if self._bus == samba_ffi.NULL:
            raise RegistryError(
                "Samba's message bus cannot be joined, which needs space in Samba's lock directory;"
                " see Samba's log"
            )

    def send_to(self, pid: int, kind: int, data: bytes) -> bool:
        """Send to one process, now or while the loop runs. False if it does not exist."""
        call = self._library.call
        with self._library.frame():
            server = call.pid_to_procid(pid)
            return bool(call.messaging_send_buf(self._bus, server, kind, data, len(data)) == 0)

    def send_to_all(self, kind: int, data: bytes) -> None:
        """Send to every process of Samba. Those that cannot receive it at once get it while the
        loop runs."""
        with self._library.frame():
            self._library.call.messaging_send_all(self._bus, kind, data, len(data))

    def close(self) -> None:
        for memory in (self._bus, self._context):
            if memory:
                self._library.call._talloc_free(memory, LOCATION)
