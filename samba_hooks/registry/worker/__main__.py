"""The worker's process: `-m samba_hooks.registry.worker --socket FD [-s FILE] [--option N=V]…`.

Runs tevent's loop, so that messages of Samba are handled between requests. It ends with the
daemon, even if it is stuck.
"""

from __future__ import annotations

import select
import socket
import sys
from typing import Optional, Sequence

from fsrvpd.errors import RegistryError
from samba_hooks.registry.worker import LIBRARY
from samba_hooks.registry.worker.config_watch import ConfigWatch
from samba_hooks.registry.worker.events import Events
from samba_hooks.registry.worker.libsmbconf import Library
from samba_hooks.registry.worker.requests import RequestHandler
from samba_hooks.worker import child, wire
from samba_hooks.worker.samba_log import SambaLog


class Worker:
    """Answers one request after the other on `connection`."""

    def __init__(self, connection: socket.socket, library: Library, log: SambaLog) -> None:
        self._connection = connection
        self.log = log
        self._readable = False
        self.events = Events(library)
        self.events.on_readable(connection.fileno(), self._on_readable)

    def serve(self, handler: RequestHandler, watch: ConfigWatch) -> None:
        """Until the daemon closes the connection."""

        def follow() -> None:
            if watch.has_seen():
                handler.refresh_early()
                watch.follow(handler.config_files)

        if watch.fileno() >= 0:
            self.events.on_readable(watch.fileno(), follow)
            watch.follow(handler.config_files)
        while True:
            self._wait()
            try:
                request = wire.receive(self._connection)
                wire.send(self._connection, self._answer(handler, request))
            except wire.Closed:
                return

    def daemon_is_connected(self) -> bool:
        """Whether the daemon has not closed the connection."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLRDHUP)
        return not poll.poll(0)

    def _wait(self) -> None:
        self._readable = False
        while not self._readable:
            self.events.run_once()

    def _on_readable(self) -> None:
        self._readable = True

    def _answer(self, handler: RequestHandler, request: wire.Message) -> wire.Message:
        try:
            result = handler.run(request["request"], request["arguments"], request.get("warrant"))
        except RegistryError as error:
            return {"error": str(error), "log": self.log.drain()}
        return {"result": result, "log": self.log.drain()}


def main(argv: Optional[Sequence[str]] = None) -> int:
    arguments = child.arguments("samba_hooks.registry.worker", LIBRARY, argv)
    connection = child.connect(arguments.socket)
    try:
        library = Library(arguments.library)
    except RegistryError as error:
        child.refuse(connection, {"error": str(error), "no library": True, "log": []})
        return 1
    worker = Worker(connection, library, SambaLog(library))
    overrides = child.overrides(arguments.option)
    try:
        handler = RequestHandler(
            library, worker.events, arguments.configfile, overrides, worker.daemon_is_connected
        )
    except RegistryError as error:
        child.refuse(connection, {"error": str(error), "log": worker.log.drain()})
        return 1
    worker.serve(handler, ConfigWatch(library))
    handler.close()
    worker.events.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
