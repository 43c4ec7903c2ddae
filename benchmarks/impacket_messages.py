"""Two messages of MS-FSRVP in impacket's NDR, for comparison."""

from __future__ import annotations

from impacket.dcerpc.v5.dtypes import GUID, LONGLONG, LPWSTR, ULONG, WSTR
from impacket.dcerpc.v5.ndr import NDRCALL, NDRPOINTER, NDRSTRUCT, NDRUNION

from fsrvpd.core.messages import AddToShadowCopySet, ShareMapping1


class AddToShadowCopySetCall(NDRCALL):  # type: ignore[misc]
    opnum = 3
    structure = (
        ("ClientShadowCopyId", GUID),
        ("ShadowCopySetId", GUID),
        ("ShareName", WSTR),
    )


class Mapping1(NDRSTRUCT):  # type: ignore[misc]
    structure = (
        ("ShadowCopySetId", GUID),
        ("ShadowCopyId", GUID),
        ("ShareNameUNC", LPWSTR),
        ("ShadowCopyShareName", LPWSTR),
        ("CreationTimestamp", LONGLONG),
    )


class Mapping1Pointer(NDRPOINTER):  # type: ignore[misc]
    referent = (("Data", Mapping1),)


class Mapping(NDRUNION):  # type: ignore[misc]
    commonHdr = (("tag", ULONG),)
    union = {1: ("ShareMapping1", Mapping1Pointer)}  # noqa: RUF012 (impacket wants it so)


class GetShareMappingAnswer(NDRCALL):  # type: ignore[misc]
    structure = (("ShareMapping", Mapping), ("ErrorCode", ULONG))


def unpack(stub: bytes) -> AddToShadowCopySet:
    call = AddToShadowCopySetCall(stub)
    name = call["ShareName"].rstrip("\0")
    return AddToShadowCopySet(call["ClientShadowCopyId"], call["ShadowCopySetId"], name)


def pack(mapping: ShareMapping1) -> bytes:
    answer = GetShareMappingAnswer()
    answer["ShareMapping"]["tag"] = 1
    fields = answer["ShareMapping"]["ShareMapping1"]
    fields["ShadowCopySetId"] = mapping.shadow_copy_set_id
    fields["ShadowCopyId"] = mapping.shadow_copy_id
    fields["ShareNameUNC"] = f"{mapping.share_name_unc}\0"
    fields["ShadowCopyShareName"] = f"{mapping.shadow_copy_share_name}\0"
    fields["CreationTimestamp"] = mapping.creation_timestamp
    answer["ErrorCode"] = 0
    data: bytes = answer.getData()
    return data
