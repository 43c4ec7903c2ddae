"""In a lab: a winbindd that takes every question and answers none, and logins that ask it.

Prints what the first client is told. Ends without the thread that still waits.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from fsrvpd.daemon import logins
from fsrvpd.daemon.logins import Answer, Logins
from fsrvpd.daemon.loop import Loop
from fsrvpd.protocol.ports import Caller, NtlmResponse
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

FOLDER = Path("/run/samba/winbindd")  # where libwbclient looks, whatever it is told
RESPONSE = NtlmResponse(bytes(8), "alice", "OFFICE", "CLIENT", bytes(64), bytes(24))
CALLER = Caller("10.0.0.1", "OFFICE\\alice", "S-1-5-21-1-2-3-4", frozenset(), 0, -1, False)


def member() -> SambaConfiguration:
    """Of a domain of the old kind, which needs no keytab."""
    facts = {**dict.fromkeys(SambaConfiguration._fields, ""), "netbios_name": "NAS"}
    return SambaConfiguration(**{**facts, "server_role": "ROLE_DOMAIN_MEMBER"})


def main() -> None:
    FOLDER.mkdir(mode=0o755)
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(FOLDER / "pipe"))
    silent.listen()
    logins.PATIENCE = 1.0
    loop = Loop()
    asked = Logins(loop, member(), SambaTools(None, [], 30), "/nowhere")
    told: list[Answer] = []
    asked.check(RESPONSE, CALLER, told.append)
    asker, _ = silent.accept()
    assert asker.recv(1), "winbindd was not asked"
    loop.run(lambda: loop.stop() if told else None, lambda: wait(asked, loop))
    print(told[0])


def wait(asked: Logins, loop: Loop) -> None:
    asked.expire()
    due = asked.deadline()
    if due is not None:
        loop.turn_by(due)
    else:
        loop.stop()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
