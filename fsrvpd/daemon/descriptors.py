"""How many files and connections may be open: the process's limit, and everybody's part of it.

Work on disks and Samba's registry and the sockets for admins have their part in advance; pipes
share what remains. Nobody can take what was reserved for another.
"""

from __future__ import annotations

import logging
import resource

log = logging.getLogger("fsrvpd")

WANTED = 8192  # enough for all limits on connections at the same time
RESERVED = 1536  # for disks, Samba and the log: reading a tree holds several a thread
CONTROL = 64  # connections to the control socket
SNAP = 64  # connections to the socket for fsrvp-snap
METRICS = 32  # connections to the metrics port
MAX_PIPES = 4096
MIN_PIPES = 16


def raise_limit() -> int:
    """Raise the soft limit on open files as far as is needed and allowed. Returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if wanted < WANTED:
        log.error(
            "fsrvpd may open %d files at most, which is enough for %d pipes; LimitNOFILE=%d in its"
            " unit, or `ulimit -Hn %d` before it starts, allows %d",
            *(wanted, pipes(wanted), WANTED, WANTED, MAX_PIPES),
        )
    return WANTED if soft == resource.RLIM_INFINITY else soft


def pipes(limit: int) -> int:
    """The number of pipes that may be open when the process may open `limit` files."""
    reserved = min(RESERVED, limit // 4) + CONTROL + SNAP + METRICS
    return max(MIN_PIPES, min(MAX_PIPES, limit - reserved))
