"""The connection to ctdbd in the event loop."""

from __future__ import annotations

from typing import Callable

from fsrvpd.daemon.event_loop import READABLE, WRITABLE, EventLoop
from samba_hooks.ctdb.connection import CtdbConnection, OnMessage
from samba_hooks.ctdb.packets import CtdbLost


class CtdbSocket:
    """Has `connection` called when it can read or send. It is closed when ctdbd is lost, and then
    `on_lost` is called once: whoever waits for an answer gets none."""

    def __init__(
        self,
        loop: EventLoop,
        path: str,
        on_message: OnMessage,
        on_lost: Callable[[CtdbLost], None],
    ) -> None:
        """Raises: CtdbLost."""
        self._loop = loop
        self._on_lost = on_lost
        self.connection = CtdbConnection(path, on_message, self._watch_both)
        loop.register(self.connection.fileno(), READABLE, self._ready)

    def close(self) -> None:
        """Does not call `on_lost`."""
        if not self.connection.is_closed:
            self._loop.unregister(self.connection.fileno())
            self.connection.close()

    def _watch_both(self) -> None:
        self._loop.modify(self.connection.fileno(), READABLE | WRITABLE)

    def _ready(self, events: int) -> None:
        connection = self.connection
        number = connection.fileno()
        try:
            connection.ready()
        except CtdbLost as error:
            self.close()
            self._on_lost(error)
        if connection.is_closed:  # perhaps by whom the packets concerned
            self._loop.unregister(number)
        elif events & WRITABLE and not connection.wants_to_send:
            self._loop.modify(number, READABLE)
