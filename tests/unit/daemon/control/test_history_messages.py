"""What an admin may ask of the history."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from fsrvpd.daemon.control.history_messages import HistoryMessages, _since
from fsrvpd.daemon.history.recorder import HistoryPage
from fsrvpd.errors import FsrvpdError
from fsrvpd.store.history_records import FAILED, RefusalRecord, SetRecord
from tests.unit.daemon.control.examples import RecordedRequest

NOW = 2e9
RECORD = SetRecord("{1}", "c", "a", ("data",), NOW, FAILED, 0x8004230C, "no", freeze=0.0123456)
REFUSAL = RefusalRecord("call-refused", "a", "c", "m", "r", "Data", "why", "", NOW, NOW)
PAGE = HistoryPage([RECORD], (NOW, "{1}"))


def ask(*words: str, page: Any = PAGE) -> RecordedRequest:
    request: Any = RecordedRequest()
    refusals = [REFUSAL, REFUSAL._replace(share="other")]
    history: Any = SimpleNamespace(read=lambda query, done: done(page), refusals=refusals)
    HistoryMessages(history).history(words, request)
    return request  # type: ignore[no-any-return]


def test_a_page_has_sets_refusals_and_the_way_to_the_next() -> None:
    reply = ask("--share=DATA", "--since=@5").result
    assert reply["sets"][0]["result"] == "FSRVP_E_NOT_SUPPORTED (0x8004230c)"
    assert reply["sets"][0]["freeze_ms"] == 12.346
    assert [each["share"] for each in reply["refusals"]] == ["Data"]
    next_page = ask(f"--after={reply['more']}").result
    assert next_page["refusals"] == []


def test_a_history_that_cannot_be_read_is_an_error() -> None:
    assert ask(page=FsrvpdError("no file")).error == "no file"


@pytest.mark.parametrize("word", ["data", "--shares=x", "--share", "--after=x,y"])
def test_wrong_usage(word: str) -> None:
    with pytest.raises(FsrvpdError, match="usage: history"):
        ask(word)


def test_times_that_an_admin_types() -> None:
    assert NOW - _since("7d", NOW) == 7 * 86_400
    assert NOW - _since("36 h", NOW) == 36 * 3600
    assert NOW - _since("90min", NOW) == 5400
    assert _since("@12", NOW) == 12
    assert _since("2026-11-01", NOW) == time.mktime((2026, 11, 1, 0, 0, 0, 0, 0, -1))
    assert _since("2026-11-01T08:30", NOW) == time.mktime((2026, 11, 1, 8, 30, 0, 0, 0, -1))
    for wrong in ("", "yesterday", "7", "d", "9999999d", "2026-13-01", "1e9"):
        with pytest.raises(FsrvpdError, match="want 7d"):
            _since(wrong, NOW)
