"""Stubs of the thirteen methods: bytes on the wire to the tuples of `messages` and back.

One C call a message. The buffers that it fills are this module's own, so one thread at a
time may decode or encode: in the daemon that is the thread that reads the network.

Strings hold up to 1024 UTF-16 units. Spec: MS-FSRVP appendix A; C706 14 and MS-RPCE 2.2.5.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Any, Callable, Mapping, Optional, Union

from fsrvpd.core import messages
from fsrvpd.core._native import ffi, lib
from fsrvpd.core.messages import Opnum, Request, Response
from fsrvpd.errors import FsrvpdError


class Syntax(IntEnum):
    """Transfer syntaxes, by the flags that the C core knows them by."""

    NDR = 0
    NDR64 = lib.FSRVP_NDR64


class Malformed(FsrvpdError):
    """Bytes from the peer that are not what they should be."""


Bytes = Union[bytes, bytearray, memoryview]


def decode_request(opnum: int, stub: Bytes, syntax: Syntax, big_endian: bool = False) -> Request:
    """Bytes behind the parameters (a verification trailer, say) are ignored, as Samba does.

    Raises: Malformed.
    """
    data = stub if type(stub) is bytes else bytes(stub)
    size = _decode_request(opnum, data, len(data), syntax | big_endian, _request)
    if size < 0:
        raise _malformed("request", opnum, size, _request.end, len(data))
    return _REQUESTS[opnum](size)


def encode_response(
    opnum: int, response: Response, syntax: Syntax, big_endian: bool = False
) -> bytes:
    """Raises: ValueError for a text or a GUID that cannot be sent."""
    return written(write_response(opnum, response, syntax | big_endian))


def write_response(opnum: int, response: Response, flags: int) -> int:
    """Into `STUB`, in the syntax and byte order that `flags` are. Returns its size.

    Raises: ValueError for a text or a GUID that cannot be sent.
    """
    size = _RESPONSE_WRITERS[opnum](response, flags)
    if size < 0:
        raise _cannot_be_sent(size)
    return size


def encode_request(request: Request, syntax: Syntax, big_endian: bool = False) -> bytes:
    """Raises: ValueError for a text or a GUID that cannot be sent."""
    guids = [field for field in request if isinstance(field, bytes)]
    numbers = [field for field in request if isinstance(field, int)]
    texts = [field for field in request if isinstance(field, str)]
    return written(
        lib.fsrvp_encode_request(
            Opnum[type(request).__name__],
            b"".join(guids),
            sum(map(len, guids)),
            *_text(texts[0] if texts else None),
            numbers[0] if numbers else 0,
            syntax | big_endian,
            _stub,
            _STUB_SIZE,
        )
    )


def decode_response(opnum: int, stub: Bytes, syntax: Syntax, big_endian: bool = False) -> Response:
    """Raises: Malformed."""
    data = bytes(stub)
    answer = ffi.new("fsrvp_response *")
    error = lib.fsrvp_decode_response(opnum, data, len(data), syntax | big_endian, answer)
    if error < 0:
        raise _malformed("response", opnum, error, answer.end, len(data))
    return _RESPONSE_READERS[messages.RESPONSE_OF[opnum]](answer)


def _malformed(what: str, opnum: int, error: int, place: int, size: int) -> Malformed:
    method = Opnum(opnum).name if opnum in Opnum.__members__.values() else f"opnum {opnum}"
    return Malformed(f"malformed {what}, {method}: {reason(error)} (byte {place} of {size})")


def reason(error: int) -> str:
    """An error of the codec in words, to complete "malformed: "."""
    text: bytes = ffi.string(lib.fsrvp_error_text(error))
    return text.decode()


# What the C core writes into, and views of it that read it without a call into cffi.
_decode_request = lib.fsrvp_decode_request
_request = ffi.new("fsrvp_request *")
_request_view = ffi.buffer(_request)
_NAME = ffi.offsetof("fsrvp_request", "name")
_guids = Struct("16s16s").unpack_from
_guid = Struct("16s").unpack_from
_guid_and_number = Struct("16s16xI").unpack_from
_number = Struct("32xI").unpack_from
_STUB_SIZE = lib.FSRVP_STUB_SIZE
STUB = _stub = ffi.new("uint8_t[]", _STUB_SIZE)
_stub_view = ffi.buffer(_stub)


def _name(size: int) -> str:
    name: bytes = _request_view[_NAME : _NAME + size]
    return name.decode()


Build = Callable[[int], Request]


def _guid_only(kind: Callable[[bytes], Request]) -> Build:
    return lambda size: kind(*_guid(_request_view))


def _guid_and_timeout(kind: Callable[[bytes, int], Request]) -> Build:
    return lambda size: kind(*_guid_and_number(_request_view))


def _guids_and_name(kind: Callable[[bytes, bytes, str], Request]) -> Build:
    def build(size: int) -> Request:
        first, second = _guids(_request_view)
        return kind(first, second, _name(size))

    return build


def _share_mapping(size: int) -> Request:
    first, second = _guids(_request_view)
    return messages.GetShareMapping(first, second, _name(size), *_number(_request_view))


_REQUESTS: Mapping[int, Build] = {
    Opnum.GetSupportedVersion: lambda size: messages.GetSupportedVersion(),
    Opnum.SetContext: lambda size: messages.SetContext(*_number(_request_view)),
    Opnum.StartShadowCopySet: _guid_only(messages.StartShadowCopySet),
    Opnum.AddToShadowCopySet: _guids_and_name(messages.AddToShadowCopySet),
    Opnum.CommitShadowCopySet: _guid_and_timeout(messages.CommitShadowCopySet),
    Opnum.ExposeShadowCopySet: _guid_and_timeout(messages.ExposeShadowCopySet),
    Opnum.RecoveryCompleteShadowCopySet: _guid_only(messages.RecoveryCompleteShadowCopySet),
    Opnum.AbortShadowCopySet: _guid_only(messages.AbortShadowCopySet),
    Opnum.IsPathSupported: lambda size: messages.IsPathSupported(_name(size)),
    Opnum.IsPathShadowCopied: lambda size: messages.IsPathShadowCopied(_name(size)),
    Opnum.GetShareMapping: _share_mapping,
    Opnum.DeleteShareMapping: _guids_and_name(messages.DeleteShareMapping),
    Opnum.PrepareShadowCopySet: _guid_and_timeout(messages.PrepareShadowCopySet),
}


def written(size: int) -> bytes:
    """What a writer has put into `STUB`, by what it returned."""
    if size < 0:
        raise _cannot_be_sent(size)
    stub: bytes = _stub_view[0:size]
    return stub


def _cannot_be_sent(error: int) -> ValueError:
    return ValueError(f"cannot be sent: {reason(error)}")


def _text(text: Optional[str]) -> tuple[Any, int]:
    """What a C function takes for a text: pointer and size."""
    if text is None:
        return ffi.NULL, 0
    data = text.encode()
    return data, len(data)


def _write_version(answer: messages.VersionResponse, flags: int) -> int:
    size: int = lib.fsrvp_encode_numbers(
        answer.min_version, answer.max_version, answer.result, flags, _stub, _STUB_SIZE
    )
    return size


def _write_status(answer: messages.StatusResponse, flags: int) -> int:
    size: int = lib.fsrvp_encode_status(answer.result, flags, _stub, _STUB_SIZE)
    return size


def _write_guid(answer: messages.GuidResponse, flags: int) -> int:
    size: int = lib.fsrvp_encode_guid(
        answer.guid, len(answer.guid), answer.result, flags, _stub, _STUB_SIZE
    )
    return size


def _write_path_supported(answer: messages.PathSupportedResponse, flags: int) -> int:
    size: int = lib.fsrvp_encode_path_supported(
        answer.supported_by_this_provider,
        *_text(answer.owner_machine_name),
        answer.result,
        flags,
        _stub,
        _STUB_SIZE,
    )
    return size


def _write_path_shadow_copied(answer: messages.PathShadowCopiedResponse, flags: int) -> int:
    size: int = lib.fsrvp_encode_numbers(
        answer.shadow_copy_present,
        answer.shadow_copy_compatibility,
        answer.result,
        flags,
        _stub,
        _STUB_SIZE,
    )
    return size


_NO_MAPPING = messages.ShareMapping1(b"", b"", None, None, 0)


def _write_share_mapping(answer: messages.ShareMappingResponse, flags: int) -> int:
    set_id, copy_id, unc, share, created = answer.share_mapping or _NO_MAPPING
    size: int = lib.fsrvp_encode_share_mapping(
        answer.level,
        set_id + copy_id,
        len(set_id) + len(copy_id),
        *_text(unc),
        *_text(share),
        created,
        answer.result,
        flags,
        _stub,
        _STUB_SIZE,
    )
    return size


_WRITERS: Mapping[type, Callable[[Any, int], int]] = {
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


def _read_share_mapping(answer: Any) -> Response:
    mapping = None
    if answer.mapped:
        guids = bytes(answer.guids)
        unc, share = map(_string, answer.strings)
        mapping = messages.ShareMapping1(guids[:16], guids[16:], unc, share, answer.created)
    return messages.ShareMappingResponse(answer.result, answer.numbers[0], mapping)


_RESPONSE_READERS: Mapping[type, Callable[[Any], Response]] = {
    messages.VersionResponse: lambda answer: messages.VersionResponse(
        answer.result, *answer.numbers
    ),
    messages.StatusResponse: lambda answer: messages.StatusResponse(answer.result),
    messages.GuidResponse: lambda answer: messages.GuidResponse(
        answer.result, bytes(answer.guids)[:16]
    ),
    messages.PathSupportedResponse: lambda answer: messages.PathSupportedResponse(
        answer.result, bool(answer.numbers[0]), _string(answer.strings[0])
    ),
    messages.PathShadowCopiedResponse: lambda answer: messages.PathShadowCopiedResponse(
        answer.result, bool(answer.numbers[0]), answer.numbers[1]
    ),
    messages.ShareMappingResponse: _read_share_mapping,
}
