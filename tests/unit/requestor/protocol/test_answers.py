"""What a result means, and that each is told in one line."""

from __future__ import annotations

import pytest

from fsrvpd.core.messages import Opnum
from fsrvpd.protocol.hresult import HResult
from fsrvpd.requestor.errors import AccessRefused, Refused, ServerBusy
from fsrvpd.requestor.protocol.answers import refusal, unusable


@pytest.mark.parametrize("result", [*[each for each in HResult if each], 0x8BADF00D])
@pytest.mark.parametrize("opnum", Opnum)
def test_every_result_is_one_line_with_its_number(opnum: Opnum, result: int) -> None:
    error = refusal("nas", opnum, result)
    assert error.result == result
    assert str(error).isprintable()
    assert f"{result:#010x}" in str(error)
    assert opnum.name in error.cause
    assert error.next_step


@pytest.mark.parametrize(
    ("opnum", "result", "said"),
    [
        (Opnum.IsPathSupported, HResult.E_INVALIDARG, "another name for itself"),
        (Opnum.CommitShadowCopySet, HResult.E_INVALIDARG, "no longer knows the set"),
        (Opnum.CommitShadowCopySet, HResult.FSRVP_E_SHADOWCOPYSET_ID_MISMATCH, "no longer knows"),
        (Opnum.IsPathShadowCopied, HResult.FSRVP_E_NOT_SUPPORTED, "does not tell"),
        (Opnum.AddToShadowCopySet, HResult.FSRVP_E_NOT_SUPPORTED, "mounted below it"),
        (Opnum.AddToShadowCopySet, 0x8BADF00D, "the server refused"),
    ],
)
def test_what_a_result_means_depends_on_the_method(opnum: Opnum, result: int, said: str) -> None:
    assert said in refusal("nas", opnum, result).cause


def test_kinds() -> None:
    busy = HResult.FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    assert isinstance(refusal("nas", Opnum.SetContext, busy), ServerBusy)
    assert isinstance(
        refusal("nas", Opnum.StartShadowCopySet, HResult.FSRVP_E_BAD_STATE), ServerBusy
    )
    assert not isinstance(
        refusal("nas", Opnum.CommitShadowCopySet, HResult.FSRVP_E_BAD_STATE), ServerBusy
    )
    denied = refusal("nas", Opnum.SetContext, HResult.E_ACCESSDENIED)
    assert isinstance(denied, AccessRefused)
    assert isinstance(unusable("nas", Opnum.SetContext, "it is odd"), Refused)
