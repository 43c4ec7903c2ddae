"""The process of one mount: `python -m fsrvpd.requestor.mount.server`.

It reads an `Order` from standard input, mounts, answers on standard output, and serves until it is
unmounted or gets SIGTERM. It ends also when standard input does, that is, with the process that
started it, however that ends, unless it was told to stay.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, closing
from io import FileIO
from pathlib import Path

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.mount import kernel
from fsrvpd.requestor.mount.binding import serve
from fsrvpd.requestor.mount.documents import (
    MOUNTED,
    STAY,
    Order,
    failure_to_line,
    order_from_line,
)
from fsrvpd.requestor.mount.file_system import FileSystem
from fsrvpd.requestor.mount.identity import BY_PATH, Identity, compare
from fsrvpd.requestor.mount.problems import Problems
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials

_END = 5.0  # seconds for what still reads when the mount is to end


def main() -> int:
    # Without a buffer, whose lock the thread that reads would hold: Python aborts at its end then.
    pipe = FileIO(sys.stdin.fileno(), closefd=False)
    order = order_from_line(pipe.readline())
    try:
        _mount(order, pipe)
    except RequestorError as error:
        _answer(failure_to_line(error))
        return error.exit_status
    return 0


def _mount(order: Order, pipe: FileIO) -> None:
    """Returns when the mount has ended. Raises: RequestorError."""
    credentials = Credentials(order.user, order.password, order.kerberos)
    connector = SmbConnector(credentials, encrypt=order.encrypt)

    def tree(share: str) -> FileTree:
        return FileTree(lambda: connector.log_in(order.host), share, order.prefix)

    with ExitStack() as stack:
        copy = stack.enter_context(closing(tree(order.share)))
        copy.entry("")  # what cannot be reached is not mounted
        with closing(tree(order.live_share)) as live:
            identity = _identity(live, copy)
        problems = Problems(Path(order.problems))
        serve(FileSystem(copy, identity, problems, lambda: _is_mounted(order, pipe)), order.point)


def _identity(live: FileTree, copy: FileTree) -> Identity:
    try:
        return compare(live, copy)
    except RequestorError:  # who may read the copy only, as fsrvpd's backup users may
        return BY_PATH


def _is_mounted(order: Order, pipe: FileIO) -> None:
    threading.Thread(target=_end_with_the_pipe, args=(order.point, pipe), daemon=True).start()
    _answer(MOUNTED)


def _end_with_the_pipe(point: str, pipe: FileIO) -> None:
    if pipe.readline() == STAY:
        return
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END)
    try:
        kernel.unmount(Path(point), detach=True)
    finally:
        os._exit(1)


def _answer(line: bytes) -> None:
    """Once: whoever waits for it may close the pipe then."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
