"""The files of the shares of a set, for writers that look into them: now, and in the copies."""

from __future__ import annotations

from typing import List, Sequence

from fsrvpd.requestor.files.tree import FileTree
from fsrvpd.requestor.ports import Resolver, ShareRoot
from fsrvpd.requestor.sets.shadow_copy_set import ShadowCopySet
from fsrvpd.requestor.smb.connector import SmbConnector
from fsrvpd.requestor.writers.ports import SharedTree


class SharedTrees:
    """Nothing is contacted before it is read. To be closed."""

    def __init__(self, connector: SmbConnector, names: Resolver, shares: Sequence[str]) -> None:
        self._connector, self._names, self._shares = connector, names, shares
        self._opened: List[FileTree] = []

    def now(self) -> Sequence[SharedTree]:
        """Raises: RequestorError for a name that leads nowhere."""
        roots = self._names.resolve_set(self._shares)
        return [self._open(root, root.host, root.share) for root in roots]

    def copies(self, created: ShadowCopySet) -> Sequence[SharedTree]:
        """On the hosts that have them."""
        found = []
        for copy in created.copies:
            host, _, share = copy.unc[2:].partition("\\")
            found.append(self._open(copy.root, host, share))
        return found

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()

    def _open(self, root: ShareRoot, host: str, share: str) -> SharedTree:
        tree = FileTree(lambda: self._connector.log_in(host), share, root.prefix)
        self._opened.append(tree)
        return SharedTree(root, tree)
