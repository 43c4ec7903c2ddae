"""A server's copies, in memory."""

from __future__ import annotations

import uuid
from typing import Callable, Mapping, Optional, Sequence

from fsrvpd.protocol.unc import parse_unc
from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import ShareRoot
from fsrvpd.requestor.shell.ports import FrozenWriters
from fsrvpd.requestor.shell.texts import ListedCopy


def new_id() -> str:
    return f"{{{uuid.uuid4()}}}"


def ignore(frozen: FrozenWriters) -> None:
    """Report nothing."""


class Copies:
    """Fulfils ShadowCopies. A share called "refused" is never copied, and `kept` is a reason for
    which nothing is deleted."""

    def __init__(self) -> None:
        self.there: list[ListedCopy] = []
        self.contexts: list[int] = []
        self.kept: Optional[RequestorError] = None
        self.left_out: list[tuple[str, str]] = []
        self.looked_up: list[str] = []
        self.writers: dict[str, bool] = {}  # of the last set

    def root(self, unc: str) -> ShareRoot:
        self.looked_up.append(unc)
        parts = unc.lstrip("\\").split("\\")
        if not unc.startswith("\\\\") or len(parts) < 2:
            raise RequestorError(unc, "it names no share", r"type \\server\share")
        host, share, *below = parts
        root = rf"\\{host}\{share}"
        return ShareRoot(unc, root, parse_unc(root).host, share, "\\".join(below))

    def create(
        self,
        roots: Sequence[ShareRoot],
        context: int,
        writers: Mapping[str, bool],
        report: Callable[[FrozenWriters], None],
    ) -> Sequence[ListedCopy]:
        self.writers = dict(writers)
        report(FrozenWriters(self.left_out, "writers held still for 5 ms" if writers else ""))
        if any(root.share == "refused" for root in roots):
            raise RequestorError(roots[0].unc, "the server refused", "look there", exit_status=4)
        set_id = new_id()
        made = [self._copy(root, set_id, len(roots), context) for root in roots]
        self.there += made
        self.contexts.append(context)
        return made

    def _copy(self, root: ShareRoot, set_id: str, number: int, context: int) -> ListedCopy:
        return ListedCopy(
            new_id(),
            set_id,
            number,
            root.unc,
            1_338_399_352.0 + len(self.there),
            rf"\\nas1\{root.share}@{new_id().upper()}",
            "NAS1",
            context,
            root.prefix,
        )

    def listed(self) -> Sequence[ListedCopy]:
        return list(self.there)

    def delete(self, copy: ListedCopy) -> None:
        if self.kept:
            raise self.kept
        self.there.remove(copy)
