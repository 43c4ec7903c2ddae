"""In a lab: a winbindd that accepts every request and answers none, and logins that ask it.

Prints the error of the first client. Ends without waiting for the thread that still waits.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.pipe import verifications
from fsrvpd.daemon.pipe.verifications import Result, Verifications
from fsrvpd.protocol.ports import Caller, NtlmResponse
from samba_hooks.accounts.winbind import WinbindVerifier

FOLDER = Path("/run/samba/winbindd")  # libwbclient always uses this path
RESPONSE = NtlmResponse(bytes(8), "alice", "OFFICE", "CLIENT", bytes(64), bytes(24))
CALLER = Caller("10.0.0.1", "OFFICE\\alice", "S-1-5-21-1-2-3-4", frozenset(), 0, -1, False)


def main() -> None:
    FOLDER.mkdir(mode=0o755)
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(FOLDER / "pipe"))
    silent.listen()
    verifications.TIMEOUT = 1.0
    loop = EventLoop()
    results: list[Result] = []
    Verifications(loop, WinbindVerifier()).begin(RESPONSE, CALLER, results.append)
    asker, _ = silent.accept()
    assert asker.recv(1), "winbindd was not asked"
    while not results:
        loop.run_once()
    print(results[0])


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
