"""The results of methods, by their names, and how a failure becomes one.

Spec: MS-FSRVP 2.2.4; E_* from MS-ERREF 2.1; VSS_E_* from the Volume Shadow Copy
Service, whose codes Windows' clients expect when a provider fails.
"""

from __future__ import annotations

from enum import IntEnum

from fsrvpd.errors import PeerError, StorageError, TookTooLong


class HResult(IntEnum):
    ZERO = 0x00000000
    FSRVP_E_WAIT_TIMEOUT = 0x00000102
    E_UNEXPECTED = 0x8000FFFF
    VSS_E_BAD_STATE_2012 = 0x80042311
    VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED = 0x80042312
    FSRVP_E_BAD_STATE = 0x80042301
    VSS_E_PROVIDER_VETO = 0x80042306
    FSRVP_E_OBJECT_NOT_FOUND = 0x80042308
    FSRVP_E_NOT_SUPPORTED = 0x8004230C
    FSRVP_E_OBJECT_ALREADY_EXISTS = 0x8004230D
    FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS = 0x80042316
    VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED = 0x80042317
    FSRVP_E_UNSUPPORTED_CONTEXT = 0x8004231B
    VSS_E_INSUFFICIENT_STORAGE = 0x8004231F
    FSSAGENT_E_TIMEOUT = 0x80042500
    FSRVP_E_SHADOWCOPYSET_ID_MISMATCH = 0x80042501
    E_ACCESSDENIED = 0x80070005
    E_INVALIDARG = 0x80070057
    FSRVP_E_WAIT_FAILED = 0xFFFFFFFF


def hresult_of(error: BaseException) -> int:
    """The result for a failure. No other function translates failures: a client's error has its
    result, storage may be full or too slow, a provider may fail; anything else is unexpected."""
    if isinstance(error, PeerError):
        return error.result
    if isinstance(error, StorageError):
        if error.out_of_space:
            return HResult.VSS_E_INSUFFICIENT_STORAGE
        if isinstance(error, TookTooLong):
            return HResult.FSSAGENT_E_TIMEOUT
        return HResult.VSS_E_PROVIDER_VETO
    return HResult.E_UNEXPECTED


def describe(result: int) -> str:
    """Name and number of a result, for a log line."""
    try:
        return f"{HResult(result).name} ({result:#010x})"
    except ValueError:
        return f"{result:#010x}"


def name_of(result: int) -> str:
    """The name of a result, or its number if it has none here."""
    try:
        return HResult(result).name
    except ValueError:
        return f"{result:#010x}"
