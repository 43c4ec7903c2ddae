from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.der import encoder
from pyasn1.type import univ

from fsrvpd.errors import AuthenticationError
from fsrvpd.rpc.security import der
from fsrvpd.rpc.security.der import DerReader


@given(st.binary(max_size=70_000))
def test_written_as_pyasn1_writes(content: bytes) -> None:
    assert der.encode(der.OCTET_STRING, content) == encoder.encode(univ.OctetString(content))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_535])
def test_written_is_read(size: int) -> None:
    content = b"x" * size
    assert der.whole(der.encode(der.OCTET_STRING, content), der.OCTET_STRING) == content


@pytest.mark.parametrize(
    "data",
    [
        "",
        "04",
        "0401",  # content missing
        "0480",  # indefinite length
        "048000",
        "04810100",  # a length of 1 in two bytes
        "04820001ff",  # the same in three
        "048300000100",  # three bytes of length
        "048401000000",
        "040100ff",  # left over
        "050100",  # another tag
        "04ff",
    ],
)
def test_what_is_not_der_is_refused(data: str) -> None:
    with pytest.raises(AuthenticationError, match="DER"):
        der.whole(bytes.fromhex(data), der.OCTET_STRING)


def test_fields_in_turn() -> None:
    data = der.encode(der.context(0), b"a") + der.encode(der.context(2), b"b")
    reader = DerReader(data)
    assert reader.optional(der.context(1)) is None
    assert reader.take(der.context(0)) == b"a"
    assert reader.rest() == der.encode(der.context(2), b"b")
    assert reader.optional(der.context(1)) is None
    assert reader.optional(der.context(2)) == b"b"
    reader.end()


@given(st.binary(max_size=200), st.integers(0, 255))
def test_nothing_else_escapes(data: bytes, tag: int) -> None:
    try:
        content = der.whole(data, tag)
    except AuthenticationError:
        return
    assert der.encode(tag, content) == data
