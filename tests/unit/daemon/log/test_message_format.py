"""Requests and responses are shown with names instead of numbers."""

from __future__ import annotations

from fsrvpd.core import messages as m
from fsrvpd.daemon.log import message_format
from fsrvpd.protocol.hresult import HResult

SET = "{00000000-0000-0000-0000-000000000001}"


def test_messages_are_traced_with_names_for_numbers() -> None:
    request = m.CommitShadowCopySet(bytes(15) + b"\1", 60000)
    assert message_format.format_message(request) == (
        "CommitShadowCopySet(shadow_copy_set_id={00000000-0000-0000-0000-000000000001},"
        " timeout_in_milliseconds=60000)"
    )
    assert message_format.ids(request) == {"set": SET}
    response = m.StatusResponse(HResult.FSRVP_E_BAD_STATE)
    assert (
        message_format.format_message(response)
        == "StatusResponse(result=FSRVP_E_BAD_STATE (0x80042301))"
    )
