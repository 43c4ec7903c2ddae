"""What the agents of a cluster know of each other."""

from __future__ import annotations

from typing import NamedTuple


class Here(NamedTuple):
    """What an agent says of itself to all others, again and again."""

    pnn: int
    nonce: str
    wire: int  # the version of the messages that it sends
    term: int = 0  # in which it serves as the leader; 0: another one leads, or nobody
    names: frozenset[str] = frozenset()  # host names and addresses that mean its node
    wall_clock: float = 0.0  # Unix time, s
    free_space: int = 0  # bytes left in the fullest of CTDB's directories
    options: str = ""  # a checksum of fsrvpd's options in smb.conf
