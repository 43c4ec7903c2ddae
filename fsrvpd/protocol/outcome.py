"""The one place where a failure becomes the result that a peer is told."""

from __future__ import annotations

from fsrvpd.errors import PeerError, StorageError, TookTooLong
from fsrvpd.protocol.hresult import HResult


def hresult_of(error: BaseException) -> int:
    """The result for a failure: the peer's own, storage that is full or slow, a provider
    that could not; anything else is ours and unexpected."""
    if isinstance(error, PeerError):
        return error.result
    if isinstance(error, StorageError):
        if error.out_of_space:
            return HResult.VSS_E_INSUFFICIENT_STORAGE
        if isinstance(error, TookTooLong):
            return HResult.FSSAGENT_E_TIMEOUT
        return HResult.VSS_E_PROVIDER_VETO
    return HResult.E_UNEXPECTED
