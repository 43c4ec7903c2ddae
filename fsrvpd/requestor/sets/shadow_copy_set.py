"""`ShadowCopySet` and `ShadowCopy`: what a requestor gives to whoever backs up."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Callable, NamedTuple, Optional, Sequence, Tuple

from fsrvpd import filetime
from fsrvpd.core.messages import Guid, format_guid
from fsrvpd.requestor.closing import Closing
from fsrvpd.requestor.ports import SetRecord, ShadowCopyRecord, ShareRoot
from fsrvpd.requestor.sets.server_side import host_of


class ShadowCopy(NamedTuple):
    """One share as it was at the moment of its set."""

    root: ShareRoot
    unc: str  # of the shadow copy share: \\\\server\\data@{…}
    copy_id: Guid  # the server's
    created: Optional[datetime]  # by the server's clock, UTC

    @property
    def path(self) -> str:
        """Where the directory that was asked for lies in the copy."""
        return f"{self.unc}\\{self.root.prefix}" if self.root.prefix else self.unc


class ShadowCopySet(Closing):
    """A set that exists. As a context manager it is deleted at the end of the block, unless it
    is kept. `copies` has the order of the shares that were asked for.

    `skew`: seconds between the answers of the first and the last server to their commits;
    `window`: seconds from the first commit's call to the last answer.
    """

    def __init__(
        self,
        records: Sequence[SetRecord],
        shares: Sequence[ShareRoot],
        delete: Callable[[ShadowCopySet], None],
        release: Callable[[], None],
        *,
        keep: Callable[[Sequence[SetRecord]], Sequence[SetRecord]] = tuple,
        kept: bool,
        skew: float = 0.0,
        window: float = 0.0,
    ) -> None:
        self.records: Tuple[SetRecord, ...] = tuple(records)
        self.copies = _in_order(copies_of(self.records), shares)
        self.kept = kept
        self.skew = skew
        self.window = window
        self._delete = delete
        self._release = release
        self._keep = keep

    @property
    def set_id(self) -> Guid:
        return self.records[0].set_id

    @property
    def id(self) -> str:
        """The set's id as people write it: {8A2E1C5B-…}."""
        return format_guid(self.set_id)

    def keep(self) -> None:
        """Let the set outlive the block and this process. Raises: RequestorError."""
        self.records = tuple(self._keep(self.records))
        self.kept = True

    def delete(self) -> None:
        """Delete the set on all servers. A set that somebody else has deleted is no error.
        Raises: RequestorError; then `Requestor.clean` will try again."""
        try:
            self._delete(self)
        finally:
            self._release()

    def close(self) -> None:
        """Delete the set unless it is kept."""
        if self.kept:
            self._release()
        else:
            self.delete()


def copies_of(records: Sequence[SetRecord]) -> list[ShadowCopy]:
    """The copies of sets that are exposed."""
    return [
        _copy(record, copy) for record in records for copy in record.copies if copy.shadow_share
    ]


def _copy(record: SetRecord, copy: ShadowCopyRecord) -> ShadowCopy:
    unc = f"\\\\{host_of(record)}\\{copy.shadow_share}"
    return ShadowCopy(copy.root, unc, copy.copy_id, _moment(copy.created))


def _moment(created: Optional[int]) -> Optional[datetime]:
    """None also for a time that no calendar has: it is the server's word."""
    if not created:
        return None
    try:
        return datetime.fromtimestamp(filetime.to_unix(created), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _in_order(copies: Sequence[ShadowCopy], shares: Sequence[ShareRoot]) -> Tuple[ShadowCopy, ...]:
    place = {root.unc: number for number, root in enumerate(shares)}
    return tuple(sorted(copies, key=lambda copy: place.get(copy.root.unc, len(place))))
