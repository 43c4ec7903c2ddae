"""The thirteen methods of MS-FSRVP as typed tuples: what the C core decodes and encodes.

Field names are the parameter names of MS-FSRVP in snake case. A GUID is the 16 bytes of
its little-endian form on the wire (`uuid.UUID.bytes_le`); `format_guid` prints one. A
string is a `str` without its terminating NUL; `None` is the NULL pointer.

Spec: MS-FSRVP 3.1.4 (methods), 2.2.1.1 (share mapping), appendix A (IDL).
"""

from __future__ import annotations

import uuid
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, Optional, Union

Guid = bytes
NULL_GUID: Guid = bytes(16)
FSRVP_RPC_VERSION_1 = 1  # 2.2.2.4


def new_guid() -> Guid:
    """A random GUID."""
    return uuid.uuid4().bytes_le


@lru_cache(1024)
def format_guid(guid: Guid) -> str:
    """The registry form with upper-case digits: {8A2E1C5B-…}. Each set and copy is written some
    twenty times, into documents, markers and the log."""
    return f"{{{str(uuid.UUID(bytes_le=guid)).upper()}}}"


def parse_guid(text: str) -> Guid:
    """The wire form of a GUID in text, with or without braces. Raises: ValueError."""
    return uuid.UUID(text.strip("{}")).bytes_le


class Opnum(IntEnum):
    """Spec: MS-FSRVP 3.1.4."""

    GetSupportedVersion = 0
    SetContext = 1
    StartShadowCopySet = 2
    AddToShadowCopySet = 3
    CommitShadowCopySet = 4
    ExposeShadowCopySet = 5
    RecoveryCompleteShadowCopySet = 6
    AbortShadowCopySet = 7
    IsPathSupported = 8
    IsPathShadowCopied = 9
    GetShareMapping = 10
    DeleteShareMapping = 11
    PrepareShadowCopySet = 12


OPNUMS = tuple(Opnum)  # by number: calling the enumeration takes ten times as long


class GetSupportedVersion(NamedTuple):
    pass


class SetContext(NamedTuple):
    context: int


class StartShadowCopySet(NamedTuple):
    client_shadow_copy_set_id: Guid


class AddToShadowCopySet(NamedTuple):
    client_shadow_copy_id: Guid
    shadow_copy_set_id: Guid
    share_name: str


class CommitShadowCopySet(NamedTuple):
    shadow_copy_set_id: Guid
    timeout_in_milliseconds: int


class ExposeShadowCopySet(NamedTuple):
    shadow_copy_set_id: Guid
    timeout_in_milliseconds: int


class RecoveryCompleteShadowCopySet(NamedTuple):
    shadow_copy_set_id: Guid


class AbortShadowCopySet(NamedTuple):
    shadow_copy_set_id: Guid


class IsPathSupported(NamedTuple):
    share_name: str


class IsPathShadowCopied(NamedTuple):
    share_name: str


class GetShareMapping(NamedTuple):
    shadow_copy_id: Guid
    shadow_copy_set_id: Guid
    share_name: str
    level: int


class DeleteShareMapping(NamedTuple):
    shadow_copy_set_id: Guid
    shadow_copy_id: Guid
    share_name: str


class PrepareShadowCopySet(NamedTuple):
    shadow_copy_set_id: Guid
    timeout_in_milliseconds: int


Request = Union[
    GetSupportedVersion,
    SetContext,
    StartShadowCopySet,
    AddToShadowCopySet,
    CommitShadowCopySet,
    ExposeShadowCopySet,
    RecoveryCompleteShadowCopySet,
    AbortShadowCopySet,
    IsPathSupported,
    IsPathShadowCopied,
    GetShareMapping,
    DeleteShareMapping,
    PrepareShadowCopySet,
]


def timeout_of(request: Optional[Request], otherwise: float) -> float:
    """Seconds that a call may wait: the time-out that it names, if its method has one."""
    if isinstance(request, (PrepareShadowCopySet, CommitShadowCopySet, ExposeShadowCopySet)):
        return request.timeout_in_milliseconds / 1000
    return otherwise


class VersionResponse(NamedTuple):
    """Answers opnum 0."""

    result: int
    min_version: int = 0
    max_version: int = 0


class StatusResponse(NamedTuple):
    """Answers the methods without out parameters: opnums 1, 4, 5, 6, 7, 11 and 12."""

    result: int


class GuidResponse(NamedTuple):
    """Answers opnums 2 (the id of the new set) and 3 (the id of the new copy)."""

    result: int
    guid: Guid = NULL_GUID


class PathSupportedResponse(NamedTuple):
    """Answers opnum 8."""

    result: int
    supported_by_this_provider: bool = False
    owner_machine_name: Optional[str] = None


class PathShadowCopiedResponse(NamedTuple):
    """Answers opnum 9."""

    result: int
    shadow_copy_present: bool = False
    shadow_copy_compatibility: int = 0


class ShareMapping1(NamedTuple):
    """FSSAGENT_SHARE_MAPPING_1. The time stamp is a FILETIME: 100 ns since 1601-01-01 UTC."""

    shadow_copy_set_id: Guid
    shadow_copy_id: Guid
    share_name_unc: Optional[str]
    shadow_copy_share_name: Optional[str]
    creation_timestamp: int


class ShareMappingResponse(NamedTuple):
    """Answers opnum 10. `level` is the request's: it selects the arm of the union."""

    result: int
    level: int = 1
    share_mapping: Optional[ShareMapping1] = None


Response = Union[
    VersionResponse,
    StatusResponse,
    GuidResponse,
    PathSupportedResponse,
    PathShadowCopiedResponse,
    ShareMappingResponse,
]

RESPONSE_OF: dict[int, type[Response]] = {
    Opnum.GetSupportedVersion: VersionResponse,
    Opnum.SetContext: StatusResponse,
    Opnum.StartShadowCopySet: GuidResponse,
    Opnum.AddToShadowCopySet: GuidResponse,
    Opnum.CommitShadowCopySet: StatusResponse,
    Opnum.ExposeShadowCopySet: StatusResponse,
    Opnum.RecoveryCompleteShadowCopySet: StatusResponse,
    Opnum.AbortShadowCopySet: StatusResponse,
    Opnum.IsPathSupported: PathSupportedResponse,
    Opnum.IsPathShadowCopied: PathShadowCopiedResponse,
    Opnum.GetShareMapping: ShareMappingResponse,
    Opnum.DeleteShareMapping: StatusResponse,
    Opnum.PrepareShadowCopySet: StatusResponse,
}


def refusal(opnum: int, result: int) -> Response:
    """The response with an error: its out parameters are zero and NULL."""
    return RESPONSE_OF[opnum](result)
