"""Who may change the registry of a cluster: the agent that leads it.

An agent that was stopped while another one took over would finish what it had begun. So the
leader's record is read inside the registry's transaction, which only one node has at a time.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Optional

from fsrvpd.errors import RegistryError, StoreBusy, StoreError
from fsrvpd.protocol.cluster import LEADER, Ballot, Warrant, read_leader

LONGEST = 2.0  # s for which the database may be locked
_PAUSE = 0.02  # s


def require(warrant: Warrant) -> None:
    """Raises: RegistryError unless the agent still leads."""
    ballot = _holder(warrant.path)
    if ballot != Ballot(warrant.term, warrant.node, warrant.nonce):
        leads = "nobody" if ballot is None else f"the agent of node {ballot.node}"
        raise RegistryError(f"{leads} leads the cluster now; nothing was changed")


def _holder(path: str) -> Optional[Ballot]:
    """Raises: RegistryError."""
    from samba_hooks.ctdb.packets import CtdbLost
    from samba_hooks.ctdb.tdb import LocalCopy  # single servers do without

    deadline = time.monotonic() + LONGEST
    try:
        with closing(LocalCopy(path)) as copy:
            while True:
                try:
                    leader = read_leader(copy.get(LEADER))
                    return None if leader is None else leader.ballot
                except StoreBusy:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_PAUSE)
    except (CtdbLost, StoreError) as error:
        raise RegistryError(f"nobody knows who leads the cluster: {error}") from error
