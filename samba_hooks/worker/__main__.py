"""The worker's process: `python -m samba_hooks.worker --socket FD [-s FILE] [--option N=V]…`.

tevent's loop drives it, so that Samba's messages flow between requests. It ends when the
daemon does, even when it is stuck.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import sys
import threading
import time
from typing import Optional, Sequence

from fsrvpd.errors import RegistryError
from samba_hooks.worker import LIBRARY, protocol
from samba_hooks.worker.libsmbconf import Events, Library
from samba_hooks.worker.samba_log import SambaLog
from samba_hooks.worker.verbs import Verbs

_FAREWELL = 5.0


class Worker:
    """Answers one request after the other on `connection`."""

    def __init__(self, connection: socket.socket, library: Library, log: SambaLog) -> None:
        self._connection = connection
        self.log = log
        self._readable = False
        self.events = Events(library)
        self.events.on_readable(connection.fileno(), self._on_readable)

    def serve(self, verbs: Verbs) -> None:
        """Until the daemon hangs up."""
        while True:
            self._wait()
            try:
                request = protocol.receive(self._connection)
                protocol.send(self._connection, self._answer(verbs, request))
            except protocol.Closed:
                return

    def is_wanted(self) -> bool:
        """Whether the daemon is there, or at least has not hung up."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLRDHUP)
        return not poll.poll(0)

    def _wait(self) -> None:
        self._readable = False
        while not self._readable:
            self.events.run_once()

    def _on_readable(self) -> None:
        self._readable = True

    def _answer(self, verbs: Verbs, request: protocol.Message) -> protocol.Message:
        try:
            result = verbs.run(request["verb"], request["arguments"])
        except RegistryError as error:
            return {"error": str(error), "log": self.log.take()}
        return {"result": result, "log": self.log.take()}


def refuse(connection: socket.socket, answer: protocol.Message) -> None:
    """Tell whoever asks first why there will be no answers."""
    try:
        protocol.receive(connection)
        protocol.send(connection, answer)
    except protocol.Closed:
        return


def _end_with_daemon(connection: socket.socket) -> None:
    """A worker that is stuck in a lock must not outlive the daemon that it worked for.

    A death signal from the kernel would come as soon as the daemon's *thread* that
    started the worker ends, so a thread here watches the socket instead.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    poll.poll()
    time.sleep(_FAREWELL)
    os._exit(1)


def _arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="samba_hooks.worker")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--library", default=LIBRARY)
    parser.add_argument("-s", "--configfile")
    parser.add_argument("--option", action="append", default=[])
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    arguments = _arguments(argv)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold security descriptors
    connection = socket.socket(fileno=arguments.socket)
    threading.Thread(target=_end_with_daemon, args=[connection], daemon=True).start()
    try:
        library = Library(arguments.library)
    except RegistryError as error:
        refuse(connection, {"error": str(error), "no library": True, "log": []})
        return 1
    worker = Worker(connection, library, SambaLog(library))
    overrides = [tuple(option.split("=", 1)) for option in arguments.option]
    try:
        verbs = Verbs(library, worker.events, arguments.configfile, overrides, worker.is_wanted)
    except RegistryError as error:
        refuse(connection, {"error": str(error), "log": worker.log.take()})
        return 1
    worker.serve(verbs)
    verbs.close()
    worker.events.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
