"""Stubs of the thirteen methods: bytes on the wire to the tuples of `messages` and back.

One C call for each message. No state is kept: any number of threads may call.

Strings hold up to 1024 UTF-16 units. Spec: MS-FSRVP appendix A; C706 14 and MS-RPCE 2.2.5.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Any, Callable, Mapping, Optional, Union

from fsrvpd.core import messages
from fsrvpd.core.error_codes import reason, written
from fsrvpd.core.messages import Opnum, Request, Response
from fsrvpd.core.native import allocate, ffi, lib
from fsrvpd.errors import FsrvpdError


class Syntax(IntEnum):
    """Transfer syntaxes, with the C core's flag as the value."""

    NDR = 0
    NDR64 = lib.FSRVP_NDR64


class Malformed(FsrvpdError):
    """Bytes from the peer that do not have the right form."""


class TooLong(Malformed):
    """The form is right, but a string is longer than any name of a share: a bad argument."""


Bytes = Union[bytes, bytearray, memoryview]

_REQUEST, _RESPONSE = ffi.typeof("fsrvp_request *"), ffi.typeof("fsrvp_response *")
_STUB, _STUB_SIZE = ffi.typeof("uint8_t[]"), lib.FSRVP_STUB_SIZE


def decode_request(opnum: int, stub: Bytes, syntax: Syntax, big_endian: bool = False) -> Request:
    """Bytes after the parameters, such as a verification trailer, are ignored, as Samba does.

    Raises: TooLong, Malformed.
    """
    data = bytes(stub)
    decoded = allocate(_REQUEST)
    size = lib.fsrvp_decode_request(opnum, data, len(data), syntax | big_endian, decoded)
    if size < 0:
        raise _malformed("request", opnum, size, decoded.end, len(data))
    return _REQUESTS[opnum](ffi.buffer(decoded), size)


def encode_response(
    opnum: int, response: Response, syntax: Syntax, big_endian: bool = False
) -> bytes:
    """Raises: ValueError for a text or a GUID that cannot be sent."""
    stub = allocate(_STUB, _STUB_SIZE)
    return written(stub, _RESPONSE_WRITERS[opnum](response, syntax | big_endian, stub))


def encode_request(request: Request, syntax: Syntax, big_endian: bool = False) -> bytes:
    """Raises: ValueError for a text or a GUID that cannot be sent."""
    guids = [field for field in request if isinstance(field, bytes)]
    numbers = [field for field in request if isinstance(field, int)]
    texts = [field for field in request if isinstance(field, str)]
    stub = allocate(_STUB, _STUB_SIZE)
    size = lib.fsrvp_encode_request(
        Opnum[type(request).__name__],
        b"".join(guids),
        sum(map(len, guids)),
        *_text(texts[0] if texts else None),
        numbers[0] if numbers else 0,
        syntax | big_endian,
        stub,
        _STUB_SIZE,
    )
    return written(stub, size)


def decode_response(opnum: int, stub: Bytes, syntax: Syntax, big_endian: bool = False) -> Response:
    """Raises: Malformed."""
    data = bytes(stub)
    decoded = allocate(_RESPONSE)
    error = lib.fsrvp_decode_response(opnum, data, len(data), syntax | big_endian, decoded)
    if error < 0:
        raise _malformed("response", opnum, error, decoded.end, len(data))
    return _RESPONSE_READERS[messages.RESPONSE_OF[opnum]](decoded)


def _malformed(what: str, opnum: int, error: int, place: int, size: int) -> Malformed:
    method = Opnum(opnum).name if opnum in Opnum.__members__.values() else f"opnum {opnum}"
    kind = TooLong if error == lib.FSRVP_STRING_TOO_LONG else Malformed
    return kind(f"malformed {what}, {method}: {reason(error)} (byte {place} of {size})")


# The fields of fsrvp_request, whose offsets the C core asserts.
_NAME = ffi.offsetof("fsrvp_request", "name")
_guids = Struct("16s16s").unpack_from
_guid = Struct("16s").unpack_from
_guid_and_number = Struct("16s16xI").unpack_from
_number = Struct("32xI").unpack_from

# From a view of the structure and the size of the name in it.
Build = Callable[[Any, int], Request]


def _name(decoded: Any, size: int) -> str:
    name: bytes = decoded[_NAME : _NAME + size]
    return name.decode()


def _guid_only(kind: Callable[[bytes], Request]) -> Build:
    return lambda decoded, size: kind(*_guid(decoded))


def _guid_and_timeout(kind: Callable[[bytes, int], Request]) -> Build:
    return lambda decoded, size: kind(*_guid_and_number(decoded))


def _guids_and_name(kind: Callable[[bytes, bytes, str], Request]) -> Build:
    def build(decoded: Any, size: int) -> Request:
        first, second = _guids(decoded)
        return kind(first, second, _name(decoded, size))

    return build


def _share_mapping(decoded: Any, size: int) -> Request:
    first, second = _guids(decoded)
    return messages.GetShareMapping(first, second, _name(decoded, size), *_number(decoded))


_REQUESTS: Mapping[int, Build] = {
    Opnum.GetSupportedVersion: lambda decoded, size: messages.GetSupportedVersion(),
    Opnum.SetContext: lambda decoded, size: messages.SetContext(*_number(decoded)),
    Opnum.StartShadowCopySet: _guid_only(messages.StartShadowCopySet),
    Opnum.AddToShadowCopySet: _guids_and_name(messages.AddToShadowCopySet),
    Opnum.CommitShadowCopySet: _guid_and_timeout(messages.CommitShadowCopySet),
    Opnum.ExposeShadowCopySet: _guid_and_timeout(messages.ExposeShadowCopySet),
    Opnum.RecoveryCompleteShadowCopySet: _guid_only(messages.RecoveryCompleteShadowCopySet),
    Opnum.AbortShadowCopySet: _guid_only(messages.AbortShadowCopySet),
    Opnum.IsPathSupported: lambda decoded, size: messages.IsPathSupported(_name(decoded, size)),
    Opnum.IsPathShadowCopied: lambda decoded, size: messages.IsPathShadowCopied(
        _name(decoded, size)
    ),
    Opnum.GetShareMapping: _share_mapping,
    Opnum.DeleteShareMapping: _guids_and_name(messages.DeleteShareMapping),
    Opnum.PrepareShadowCopySet: _guid_and_timeout(messages.PrepareShadowCopySet),
}


def _text(text: Optional[str]) -> tuple[Any, int]:
    """A text as the arguments of a C function: pointer and size."""
    if text is None:
        return ffi.NULL, 0
    data = text.encode()
    return data, len(data)


def _write_version(response: messages.VersionResponse, flags: int, stub: Any) -> int:
    size: int = lib.fsrvp_encode_numbers(
        response.min_version, response.max_version, response.result, flags, stub, _STUB_SIZE
    )
    return size


def _write_status(response: messages.StatusResponse, flags: int, stub: Any) -> int:
    size: int = lib.fsrvp_encode_status(response.result, flags, stub, _STUB_SIZE)
    return size


def _write_guid(response: messages.GuidResponse, flags: int, stub: Any) -> int:
    size: int = lib.fsrvp_encode_guid(
        response.guid, len(response.guid), response.result, flags, stub, _STUB_SIZE
    )
    return size


def _write_path_supported(response: messages.PathSupportedResponse, flags: int, stub: Any) -> int:
    size: int = lib.fsrvp_encode_path_supported(
        response.supported_by_this_provider,
        *_text(response.owner_machine_name),
        response.result,
        flags,
        stub,
        _STUB_SIZE,
    )
    return size


def _write_path_shadow_copied(
    response: messages.PathShadowCopiedResponse, flags: int, stub: Any
) -> int:
    size: int = lib.fsrvp_encode_numbers(
        response.shadow_copy_present,
        response.shadow_copy_compatibility,
        response.result,
        flags,
        stub,
        _STUB_SIZE,
    )
    return size


_NO_MAPPING = messages.ShareMapping1(b"", b"", None, None, 0)


def _write_share_mapping(response: messages.ShareMappingResponse, flags: int, stub: Any) -> int:
    set_id, copy_id, unc, share, created = response.share_mapping or _NO_MAPPING
    size: int = lib.fsrvp_encode_share_mapping(
        response.level,
        set_id + copy_id,
        len(set_id) + len(copy_id),
        *_text(unc),
        *_text(share),
        created,
        response.result,
        flags,
        stub,
        _STUB_SIZE,
    )
    return size


_WRITERS: Mapping[type, Callable[[Any, int, Any], int]] = {
    messages.VersionResponse: _write_version,
    messages.StatusResponse: _write_status,
    messages.GuidResponse: _write_guid,
    messages.PathSupportedResponse: _write_path_supported,
    messages.PathShadowCopiedResponse: _write_path_shadow_copied,
    messages.ShareMappingResponse: _write_share_mapping,
}
_RESPONSE_WRITERS = {opnum: _WRITERS[kind] for opnum, kind in messages.RESPONSE_OF.items()}


def _string(text: Any) -> Optional[str]:
    return ffi.unpack(text.utf8, text.size).decode() if text.present else None


def _read_share_mapping(response: Any) -> Response:
    mapping = None
    if response.mapped:
        guids = bytes(response.guids)
        unc, share = map(_string, response.strings)
        mapping = messages.ShareMapping1(guids[:16], guids[16:], unc, share, response.created)
    return messages.ShareMappingResponse(response.result, response.numbers[0], mapping)


_RESPONSE_READERS: Mapping[type, Callable[[Any], Response]] = {
    messages.VersionResponse: lambda response: messages.VersionResponse(
        response.result, *response.numbers
    ),
    messages.StatusResponse: lambda response: messages.StatusResponse(response.result),
    messages.GuidResponse: lambda response: messages.GuidResponse(
        response.result, bytes(response.guids)[:16]
    ),
    messages.PathSupportedResponse: lambda response: messages.PathSupportedResponse(
        response.result, bool(response.numbers[0]), _string(response.strings[0])
    ),
    messages.PathShadowCopiedResponse: lambda response: messages.PathShadowCopiedResponse(
        response.result, bool(response.numbers[0]), response.numbers[1]
    ),
    messages.ShareMappingResponse: _read_share_mapping,
}
