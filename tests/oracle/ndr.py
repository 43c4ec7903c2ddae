"""The stubs of MS-FSRVP in plain Python, for both transfer syntaxes and byte orders.

It is written from C706 14 and MS-RPCE 2.2.5 alone, so that it disagrees with the C core if that
is wrong. It is slow, and trusts its input.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, NamedTuple, Optional, Union, get_type_hints
from uuid import UUID

from fsrvpd.core import messages
from fsrvpd.core.messages import Guid, Opnum, Request, Response

REQUESTS: dict[int, Any] = {opnum: getattr(messages, opnum.name) for opnum in Opnum}


class Format(NamedTuple):
    ndr64: bool = False
    big_endian: bool = False

    @property
    def order(self) -> str:
        return ">" if self.big_endian else "<"

    @property
    def wide(self) -> str:
        """The struct format of pointers and counts."""
        return "Q" if self.ndr64 else "I"

    @property
    def utf16(self) -> str:
        return "utf-16-be" if self.big_endian else "utf-16-le"


class Writer:
    def __init__(self, form: Format) -> None:
        self.form = form
        self.data = b""
        self.pointers = 0

    def align(self, boundary: int) -> None:
        self.data += bytes(-len(self.data) % boundary)

    def number(self, code: str, value: int) -> None:
        self.align(struct.calcsize("=" + code))
        self.data += struct.pack(self.form.order + code, value)

    def guid(self, guid: Guid) -> None:
        self.align(4)
        uuid = UUID(bytes_le=guid)
        self.data += uuid.bytes if self.form.big_endian else uuid.bytes_le

    def pointer(self, target: object) -> None:
        """Number referents as Windows and Samba do."""
        referent = 0x20000 + 4 * self.pointers
        self.pointers += 1
        self.number(self.form.wide, 0 if target is None else referent)

    def string(self, text: Optional[str]) -> None:
        if text is None:
            return
        units = (text + "\0").encode(self.form.utf16)
        for count in (len(units) // 2, 0, len(units) // 2):
            self.number(self.form.wide, count)
        self.data += units


class Reader:
    def __init__(self, data: bytes, form: Format) -> None:
        self.form = form
        self.data = data
        self.offset = 0

    def take(self, size: int, boundary: int = 1) -> bytes:
        start = self.offset + -self.offset % boundary
        self.offset = start + size
        assert self.offset <= len(self.data)
        return self.data[start : self.offset]

    def number(self, code: str) -> int:
        size = struct.calcsize("=" + code)
        (value,) = struct.unpack(self.form.order + code, self.take(size, size))
        return int(value)

    def guid(self) -> Guid:
        data = self.take(16, 4)
        return UUID(bytes=data).bytes_le if self.form.big_endian else data

    def string(self) -> str:
        maximum, offset, actual = (self.number(self.form.wide) for _ in range(3))
        assert offset == 0
        assert maximum >= actual
        text = self.take(2 * actual).decode(self.form.utf16)
        assert text.endswith("\0")
        return text[:-1]

    def string_if(self, pointer: int) -> Optional[str]:
        return self.string() if pointer else None


def encode_request(request: Request, form: Format) -> bytes:
    out = Writer(form)
    for field in request:
        if isinstance(field, bytes):
            out.guid(field)
        elif isinstance(field, str):
            out.string(field)
        else:
            out.number("I", field)
    return out.data


def decode_request(opnum: int, stub: bytes, form: Format) -> Request:
    kind = REQUESTS[opnum]
    read = Reader(stub, form)
    readers: dict[Any, Callable[[], Any]] = {
        Guid: read.guid,
        str: read.string,
        int: lambda: read.number("I"),
    }
    request: Request = kind(*(readers[part]() for part in get_type_hints(kind).values()))
    return request


def encode_response(response: Response, form: Format) -> bytes:
    out = Writer(form)
    if isinstance(response, messages.ShareMappingResponse):
        _write_share_mapping(out, response)
    else:
        for field in response[1:]:
            _write_field(out, field)
    out.number("I", response.result)
    return out.data


def _write_field(out: Writer, field: Union[bytes, int, str, None]) -> None:
    if isinstance(field, bytes):
        out.guid(field)
    elif isinstance(field, int):
        out.number("I", field)
    else:
        out.pointer(field)
        out.string(field)


def _write_share_mapping(out: Writer, response: messages.ShareMappingResponse) -> None:
    """A union is aligned like its widest arm, here a pointer."""
    out.number("I", response.level)
    out.align(struct.calcsize("=" + out.form.wide))
    mapping = response.share_mapping
    if response.level != 1:
        return
    out.pointer(mapping)
    if mapping is not None:
        out.align(8)
        out.guid(mapping.shadow_copy_set_id)
        out.guid(mapping.shadow_copy_id)
        out.pointer(mapping.share_name_unc)
        out.pointer(mapping.shadow_copy_share_name)
        out.number("Q", mapping.creation_timestamp)
        out.string(mapping.share_name_unc)
        out.string(mapping.shadow_copy_share_name)


def decode_response(opnum: int, stub: bytes, form: Format) -> Response:
    read = Reader(stub, form)
    kind: Any = messages.RESPONSE_OF[opnum]
    fields: list[Any] = []
    if opnum == Opnum.GetShareMapping:
        fields = _read_share_mapping(read)
    elif opnum == Opnum.IsPathSupported:
        fields = [bool(read.number("I"))]
        fields.append(read.string_if(read.number(form.wide)))
    elif opnum == Opnum.IsPathShadowCopied:
        fields = [bool(read.number("I")), read.number("I")]
    elif opnum == Opnum.GetSupportedVersion:
        fields = [read.number("I"), read.number("I")]
    elif kind is messages.GuidResponse:
        fields = [read.guid()]
    response: Response = kind(read.number("I"), *fields)
    return response


def _read_share_mapping(read: Reader) -> list[Any]:
    level = read.number("I")
    wide = struct.calcsize("=" + read.form.wide)
    read.take(0, wide)
    if level != 1 or not read.number(read.form.wide):
        return [level, None]
    read.take(0, 8)
    set_id, copy_id = read.guid(), read.guid()
    unc, share = read.number(read.form.wide), read.number(read.form.wide)
    created = read.number("Q")
    unc_text, share_text = read.string_if(unc), read.string_if(share)
    return [level, messages.ShareMapping1(set_id, copy_id, unc_text, share_text, created)]
