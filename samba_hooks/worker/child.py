"""The worker's side: its arguments, and its end with the daemon."""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import threading
import time
from typing import Optional, Sequence

from samba_hooks.worker import wire

SHUTDOWN_GRACE = 5.0  # s that a worker may take to end after its daemon


def arguments(module: str, library: str, argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=module)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--library", default=library)
    parser.add_argument("-s", "--configfile")
    parser.add_argument("--option", action="append", default=[])
    return parser.parse_args(argv)


def overrides(options: Sequence[str]) -> list[tuple[str, str]]:
    """The (name, value) pairs of --option."""
    pairs = (option.partition("=") for option in options)
    return [(name, value) for name, _, value in pairs]


def connect(descriptor: int) -> socket.socket:
    """The connection to the daemon. From now on this process ends with it, even if it is stuck,
    and leaves no core dump, which would contain secrets of Samba."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with_daemon, args=[connection], daemon=True).start()
    return connection


def refuse(connection: socket.socket, answer: wire.Message) -> None:
    """Answer the first request with an error."""
    try:
        wire.receive(connection)
        wire.send(connection, answer)
    except wire.Closed:
        return


def _end_with_daemon(connection: socket.socket) -> None:
    """End this process after the daemon has ended, even if it is stuck in a lock.

    The kernel's parent death signal would be sent as soon as the daemon's *thread* that started
    the worker ends, so a thread watches the socket instead.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    poll.poll()
    time.sleep(SHUTDOWN_GRACE)
    os._exit(1)
