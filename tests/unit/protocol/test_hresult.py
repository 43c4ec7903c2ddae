"""The result of each failure."""

from __future__ import annotations

import errno

import pytest

from fsrvpd.errors import FsrvpdError, PeerError, StorageError, StoreError, TookTooLong
from fsrvpd.protocol.hresult import HResult, describe, hresult_of, name_of


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (PeerError(HResult.E_INVALIDARG, "why"), HResult.E_INVALIDARG),
        (StorageError("/v", "why"), HResult.VSS_E_PROVIDER_VETO),
        (
            StorageError("/v", "why", error_number=errno.ENOSPC),
            HResult.VSS_E_INSUFFICIENT_STORAGE,
        ),
        (TookTooLong("/v", "why"), HResult.FSSAGENT_E_TIMEOUT),
        (StoreError("why"), HResult.E_UNEXPECTED),
        (FsrvpdError("why"), HResult.E_UNEXPECTED),
        (ZeroDivisionError(), HResult.E_UNEXPECTED),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_a_failure_becomes_one_result(error: Exception, result: HResult) -> None:
    assert hresult_of(error) == result


def test_a_result_is_shown_by_name_and_number() -> None:
    assert describe(0x80042301) == "FSRVP_E_BAD_STATE (0x80042301)"
    assert describe(0x80041234) == "0x80041234"
    assert name_of(0x80042301) == "FSRVP_E_BAD_STATE"
    assert name_of(0x80041234) == "0x80041234"
