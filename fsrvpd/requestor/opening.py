"""`connect`: a requestor of this host, with its state and its resolver. `open_copy`: what is in a
shadow copy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Iterable, Optional

from fsrvpd.requestor.events import Report, ignore
from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.names.owner import owners as listed
from fsrvpd.requestor.names.resolve import Names
from fsrvpd.requestor.names.system_look_up import SystemLookUp
from fsrvpd.requestor.sets.requestor import Requestor
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopy
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.smb.credentials import Credentials
from fsrvpd.requestor.smb.dfs import DfsReferrals
from fsrvpd.requestor.state.files import StateFiles

_log = logging.getLogger("fsrvpd.requestor")


def connect(
    credentials: Credentials,
    *,
    encrypt: bool = False,
    fqdn: bool = False,
    owners: Iterable[str] = (),
    state: Optional[Path] = None,
    report: Report = ignore,
) -> Requestor:
    """A requestor that logs in with `credentials`; nothing is contacted yet.

    `encrypt`: SMB and RPC, also where the server does not demand it. `fqdn`: servers are named
    with their domain. `owners`: hosts that a server may lead to without proof. `state`: where sets
    are remembered, by default /var/lib/fsrvpshadow, or below $XDG_STATE_HOME for users other than
    root. `report` is told what happens. Files of the state that cannot be read are logged.
    """
    connector = SmbConnector(credentials, encrypt=encrypt)
    referrals = DfsReferrals(connector)
    names = Names(SystemLookUp(), referrals, fqdn=fqdn, listed=listed(owners))
    store = StateFiles(state, _log.warning) if state else StateFiles.of_user(_log.warning)
    return Requestor(connector, store, names, report=report)


def open_copy(copy: ShadowCopy, credentials: Credentials, *, encrypt: bool = False) -> FileTree:
    """What is in a copy, from the directory that was asked for: to be read, and closed.

    Nothing is contacted before something is asked for.
    """
    host, _, share = copy.unc[2:].partition("\\")
    connector = SmbConnector(credentials, encrypt=encrypt)
    return FileTree(lambda: connector.log_in(host), share, copy.root.prefix)
