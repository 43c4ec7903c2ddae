"""Takes snapshots that hold all of their shares, or none.

Between AddToShadowCopySet and the snapshot anybody may make a subvolume inside a share, mount
something there or exchange its directory; the copy would be empty there and look complete. So
the shares are checked just before the snapshot and again after it.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import Iterator, Sequence

from fsrvpd.errors import FsrvpdError, PeerError
from fsrvpd.protocol.hresult import HResult
from fsrvpd.protocol.ports import GroupSnapshots, Provider, Snapshot, SnapshotRequest
from fsrvpd.shares.changes import change_of


def take(provider: Provider, requests: Sequence[SnapshotRequest]) -> list[Snapshot]:
    """Take the snapshots of one provider, several only if it can take them at one moment.

    Raises: PeerError FSRVP_E_NOT_SUPPORTED with the share and what it would lack; StorageError.
    After a failure nothing is left of any.
    """
    planned = [provider.plan(request) for request in requests]
    with _deleted_on_failure(provider, planned):  # `prepare` may have left something
        _require_whole(provider, requests)
    if len(requests) > 1 and isinstance(provider, GroupSnapshots):
        provider.create_together(list(zip(requests, planned)))
    else:
        provider.create(requests[0], planned[0])
    with _deleted_on_failure(provider, planned):
        _require_whole(provider, requests)
    return planned


@contextmanager
def _deleted_on_failure(provider: Provider, planned: Sequence[Snapshot]) -> Iterator[None]:
    try:
        yield
    except FsrvpdError:
        for snapshot in planned:
            with suppress(FsrvpdError):  # the job that undoes the commit tries again
                provider.delete(snapshot)
        raise


def is_whole(provider: Provider, request: SnapshotRequest) -> bool:
    """Whether a snapshot that was just taken holds its shares. Raises: StorageError."""
    try:
        _require_whole(provider, [request])
    except PeerError:
        return False
    return True


def _require_whole(provider: Provider, requests: Sequence[SnapshotRequest]) -> None:
    """Raises: PeerError as AddToShadowCopySet would now, StorageError."""
    for request in requests:
        for location in request.mapped or [request.location]:
            change = change_of(location, location.share.path, provider)
            if change is not None:
                why = f"share {location.share.name}: {change}"
                raise PeerError(HResult.FSRVP_E_NOT_SUPPORTED, why)
