"""A process that has imported all that a daemon needs, and forks daemons on request.

Run in a lab: `python -m tests.reliability.fault_injection.forkserver SOCKET`. A request is one
JSON line {"argv": […], "output": path, "directory": path or null}. The reply is one line with
the daemon's pid and, after its end, one line with its status.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from fsrvpd.daemon.main import main as daemon_main
from tests.reliability.fault_injection.components import FaultyComponents
from tests.reliability.fault_injection.fault_points import FaultPoints


def main() -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    children: dict[int, socket.socket] = {}
    while True:
        if select.select([listener], [], [], 0.01)[0]:
            connection, _ = listener.accept()
            with connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
            pid = os.fork()
            if pid == 0:
                listener.close()
                connection.close()
                be_daemon(request)
            connection.sendall(b"%d\n" % pid)
            children[pid] = connection
        reap(children)


def reap(children: dict[int, socket.socket]) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            connection = children.pop(pid)
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            connection.close()


def be_daemon(request: dict[str, Any]) -> NoReturn:
    """Run the daemon. Ends as a program does: after its threads."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    output = os.open(request["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    directory = request["directory"]
    components = FaultyComponents(FaultPoints(Path(directory))) if directory else None
    sys.exit(daemon_main(request["argv"], components))


if __name__ == "__main__":
    main()
