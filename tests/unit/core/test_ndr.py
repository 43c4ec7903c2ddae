"""The C core compared with the plain Python codec of tests/oracle, and what it refuses."""

from __future__ import annotations

import contextlib
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsrvpd.core import messages, ndr, pdu
from fsrvpd.core.messages import (
    RESPONSE_OF,
    AddToShadowCopySet,
    IsPathSupported,
    Opnum,
    PathSupportedResponse,
    ShareMapping1,
    ShareMappingResponse,
    refusal,
)
from fsrvpd.core.ndr import Malformed, Syntax, TooLong
from tests.oracle import ndr as oracle
from tests.oracle.ndr import Format

FORMATS = st.builds(Format, st.booleans(), st.booleans())
OPNUMS = st.sampled_from(sorted(Opnum))
NUMBERS = st.integers(0, 2**32 - 1)
# Characters outside the basic plane take two of the 1024 units.
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=512)
PARTS: dict[Any, st.SearchStrategy[Any]] = {
    messages.Guid: st.binary(min_size=16, max_size=16),
    str: TEXTS,
    int: NUMBERS,
}
MAPPINGS = st.builds(
    ShareMapping1,
    PARTS[messages.Guid],
    PARTS[messages.Guid],
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.integers(0, 2**64 - 1),
)


def syntax(form: Format) -> Syntax:
    return Syntax.NDR64 if form.ndr64 else Syntax.NDR


def requests(opnum: int) -> st.SearchStrategy[Any]:
    kind = oracle.REQUESTS[opnum]
    return st.builds(kind, *(PARTS[part] for part in get_type_hints(kind).values()))


def responses(opnum: int) -> st.SearchStrategy[Any]:
    kind = RESPONSE_OF[opnum]
    parts: dict[Any, list[st.SearchStrategy[Any]]] = {
        messages.VersionResponse: [NUMBERS, NUMBERS],
        messages.StatusResponse: [],
        messages.GuidResponse: [PARTS[messages.Guid]],
        messages.PathSupportedResponse: [st.booleans(), st.none() | TEXTS],
        messages.PathShadowCopiedResponse: [st.booleans(), NUMBERS],
        messages.ShareMappingResponse: [st.just(1), st.none() | MAPPINGS],
    }
    return st.builds(kind, NUMBERS, *parts[kind])


@given(OPNUMS.flatmap(requests), FORMATS)
def test_requests_are_what_the_oracle_makes_of_them(request: Any, form: Format) -> None:
    opnum = Opnum[type(request).__name__]
    stub = ndr.encode_request(request, syntax(form), form.big_endian)
    assert stub == oracle.encode_request(request, form)
    assert ndr.decode_request(opnum, stub, syntax(form), form.big_endian) == request
    assert oracle.decode_request(opnum, stub, form) == request


@given(
    OPNUMS.flatmap(lambda opnum: st.tuples(st.just(opnum), responses(opnum))),
    FORMATS,
)
def test_responses_are_what_the_oracle_makes_of_them(
    answer: tuple[Opnum, messages.Response], form: Format
) -> None:
    opnum, response = answer
    stub = ndr.encode_response(opnum, response, syntax(form), form.big_endian)
    assert stub == oracle.encode_response(response, form)
    assert ndr.decode_response(opnum, stub, syntax(form), form.big_endian) == response
    assert oracle.decode_response(opnum, stub, form) == response


@pytest.mark.parametrize("form", [Format(False), Format(True)], ids=str)
def test_at_another_level_there_is_no_share_mapping(form: Format) -> None:
    response = ShareMappingResponse(0x80070057, 2)
    stub = ndr.encode_response(Opnum.GetShareMapping, response, syntax(form))
    assert stub == oracle.encode_response(response, form)
    assert ndr.decode_response(Opnum.GetShareMapping, stub, syntax(form)) == response


@pytest.mark.parametrize("opnum", Opnum)
def test_a_refusal_carries_zeros_and_null(opnum: Opnum) -> None:
    stub = ndr.encode_response(opnum, refusal(opnum, 0x80070005), Syntax.NDR)
    parameters = stub[:-4]
    if opnum == Opnum.GetShareMapping:
        assert parameters[:4] == struct.pack("<I", 1)
        parameters = parameters[4:]
    assert not any(parameters)
    assert stub[-4:] == struct.pack("<I", 0x80070005)


def test_a_stub_may_be_any_buffer() -> None:
    stub = ndr.encode_request(IsPathSupported("x"), Syntax.NDR)
    for data in (bytearray(stub), memoryview(stub)):
        assert ndr.decode_request(Opnum.IsPathSupported, data, Syntax.NDR) == ("x",)


def test_what_follows_the_parameters_is_ignored() -> None:
    """A verification trailer does this: MS-RPCE 2.2.2.13."""
    stub = ndr.encode_request(AddToShadowCopySet(bytes(16), bytes(16), "abc"), Syntax.NDR)
    trailer = bytes.fromhex("8ae3137102f43671 01400400 01000000")
    for tail in (trailer, b"\0\0" + trailer, b"x"):
        assert ndr.decode_request(3, stub + tail, Syntax.NDR).share_name == "abc"  # type: ignore[union-attr]


@given(OPNUMS.flatmap(requests), FORMATS, st.data())
def test_a_request_that_is_cut_off_is_malformed(
    request: Any, form: Format, data: st.DataObject
) -> None:
    opnum = Opnum[type(request).__name__]
    stub = oracle.encode_request(request, form)
    if stub:
        cut = data.draw(st.integers(0, len(stub) - 1))
        with pytest.raises(Malformed, match="ends inside a field"):
            ndr.decode_request(opnum, stub[:cut], syntax(form), form.big_endian)


@given(OPNUMS, st.binary(max_size=200), FORMATS)
def test_any_bytes_are_decoded_or_malformed(opnum: Opnum, stub: bytes, form: Format) -> None:
    for decode in (ndr.decode_request, ndr.decode_response):
        with contextlib.suppress(Malformed):
            decode(opnum, stub, syntax(form), form.big_endian)


def string(maximum: int, offset: int, actual: int, units: bytes) -> bytes:
    return struct.pack("<III", maximum, offset, actual) + units


@pytest.mark.parametrize(
    ("stub", "reason"),
    [
        (string(2, 1, 1, b"x\0\0\0"), "does not begin"),
        (string(1, 0, 2, b"x\0\0\0"), "longer than its maximum"),
        (string(0, 0, 0, b""), "empty"),
        (string(5, 0, 0, b""), "empty"),
        (string(2, 0, 2, b"x\0y\0"), "does not end with NUL"),
        (string(3, 0, 3, b"x\0\0\0\0\0"), "NUL inside"),
        (string(2, 0, 2, b"\0\xd8\0\0"), "surrogate"),
        (string(2, 0, 2, b"\0\xdc\0\0"), "surrogate"),
        (string(3, 0, 3, b"\0\xd8x\0\0\0"), "surrogate"),
        (string(3, 0, 3, b"\0\xd8\0\xd8\0\0"), "surrogate"),
        (string(1026, 0, 1026, b"x\0" * 1025), "ends inside"),
        (string(1026, 0, 1026, b"x\0" * 1026), "does not end with NUL"),
        (string(0xFFFFFFFF, 0, 0xFFFFFFFF, b"x\0\0\0"), "ends inside"),
        (string(0x80000001, 0, 0x80000001, b"x\0\0\0"), "ends inside"),
    ],
)
def test_strings_that_are_refused(stub: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason) as refused:
        ndr.decode_request(Opnum.IsPathSupported, stub, Syntax.NDR)
    assert not isinstance(refused.value, TooLong)


@pytest.mark.parametrize("units", [1026, 5000])
def test_a_string_that_is_only_too_long_has_the_right_form(units: int) -> None:
    text = b"x\0" * (units - 1) + b"\0\0"
    for stub, syntax in (
        (string(units, 0, units, text), Syntax.NDR),
        (struct.pack("<QQQ", units, 0, units) + text, Syntax.NDR64),
    ):
        with pytest.raises(TooLong, match="longer than 1024"):
            ndr.decode_request(Opnum.IsPathSupported, stub, syntax)


def test_counts_of_ndr64_are_not_cut_to_32_bits() -> None:
    for count in (2**32 + 2, 2**63 + 2, 2**64 - 1):
        stub = struct.pack("<QQQ", count, 0, count) + b"x\0\0\0"
        with pytest.raises(Malformed, match="ends inside"):
            ndr.decode_request(Opnum.IsPathSupported, stub, Syntax.NDR64)


def test_a_maximum_count_may_be_larger() -> None:
    stub = string(260, 0, 2, b"x\0\0\0")
    assert ndr.decode_request(Opnum.IsPathSupported, stub, Syntax.NDR) == ("x",)


def test_the_longest_string() -> None:
    for text in ("x" * 1024, "€" * 1024, "𝄞" * 512):
        stub = ndr.encode_request(IsPathSupported(text), Syntax.NDR)
        assert ndr.decode_request(Opnum.IsPathSupported, stub, Syntax.NDR) == (text,)
        with pytest.raises(ValueError, match="longer than 1024"):
            ndr.encode_request(IsPathSupported(text + "x"), Syntax.NDR)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_texts_that_cannot_be_sent(text: str) -> None:
    with pytest.raises(ValueError, match=r"UTF-16|surrogates"):
        ndr.encode_response(8, PathSupportedResponse(0, True, text), Syntax.NDR)


def test_a_guid_has_16_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        ndr.encode_request(messages.StartShadowCopySet(bytes(15)), Syntax.NDR)
    with pytest.raises(ValueError, match="16 bytes"):
        ndr.encode_response(2, messages.GuidResponse(0, bytes(17)), Syntax.NDR)
    mapping = ShareMapping1(bytes(16), bytes(15), None, None, 0)
    with pytest.raises(ValueError, match="16 bytes"):
        ndr.encode_response(10, ShareMappingResponse(0, 1, mapping), Syntax.NDR)


def test_there_is_no_opnum_13() -> None:
    with pytest.raises(Malformed, match="no method"):
        ndr.decode_request(13, b"", Syntax.NDR)


@pytest.mark.parametrize("threads", [8])
def test_any_number_of_threads_may_code(threads: int) -> None:
    """The C core runs without the interpreter's lock, but threads share no buffer."""

    def round_trips(number: int) -> None:
        guid, other = bytes([number]) * 16, bytes([number + 100]) * 16
        name = f"\\\\server{number}\\" + chr(ord("a") + number) * 200
        request = AddToShadowCopySet(guid, other, name)
        response = ShareMappingResponse(number, 1, ShareMapping1(guid, other, name, None, number))
        for _ in range(500):
            stub = ndr.encode_request(request, Syntax.NDR64)
            assert ndr.decode_request(3, stub, Syntax.NDR64) == request
            stub = ndr.encode_response(10, response, Syntax.NDR)
            (data,) = pdu.responses(number, 0, stub, 4280)
            parsed = pdu.parse(data)
            assert parsed is not None
            assert (parsed.type, parsed.call_id) == (pdu.PduType.RESPONSE, number)
            assert ndr.decode_response(10, data[24:], Syntax.NDR) == response

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(round_trips, range(threads)))
