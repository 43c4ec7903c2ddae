"""Events reach file and journal with id, name and values; levels are Samba's."""

from __future__ import annotations

import io
import logging
import socket
import struct
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.core import messages as m
from fsrvpd.daemon import events, logs, trace
from fsrvpd.daemon.journal import JournalHandler, entry
from fsrvpd.protocol.hresult import HResult

SET = "{00000000-0000-0000-0000-000000000001}"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("fsrvpd.test", logs.CALLS)
    return logger


def records(log: logging.Logger) -> list[logging.LogRecord]:
    found: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = found.append  # type: ignore[method-assign]
    log.addHandler(handler)
    return found


def test_an_event_is_one_line_of_keys_and_words(log: logging.Logger) -> None:
    text = io.StringIO()
    log.addHandler(logging.StreamHandler(text))
    events.report(log, "call-refused", "", set=SET, account="NAS\\back up", ms=1.25, opnum=4)
    assert text.getvalue() == (
        f"event=call-refused set={SET} account='NAS\\\\back up' ms=1.2 opnum=4\n"
    )


def test_a_line_end_in_a_name_makes_no_second_entry(log: logging.Logger) -> None:
    [record] = _reported(log, "set-removing", "", account="a\nevent=forged")
    assert "\n" not in record.getMessage()
    fields = entry(record).split(b"\n")
    assert b"FSRVPD_EVENT=forged" not in fields


def _reported(log: logging.Logger, name: str, text: str, **fields: str) -> list[logging.LogRecord]:
    found = records(log)
    events.report(log, name, text, **fields)
    return found


def test_the_journal_gets_each_value_as_a_field(log: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        handler = JournalHandler(str(path))
        log.addHandler(handler)
        events.report(log, "set-removing", "two\nlines", set=SET)
        received = journal.recv(65536)
        handler.close()
    message = f"event=set-removing set={SET} two\nlines".encode()
    assert received.startswith(b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n")
    for line in (b"PRIORITY=5", b"FSRVPD_EVENT=set-removing", b"FSRVPD_EVENT_ID=301"):
        assert line in received.split(b"\n")
    assert f"FSRVPD_SET={SET}".encode() in received.split(b"\n")


def test_a_journal_that_is_gone_loses_nothing(
    log: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = JournalHandler(str(tmp_path / "gone"))
    log.addHandler(handler)
    events.report(log, "started", "here")
    handler.close()
    assert capsys.readouterr().err == "event=started here\n"


def test_watchers_see_what_the_level_hides(log: logging.Logger) -> None:
    log.setLevel(logging.ERROR)
    seen: list[str] = []
    unwatch = events.watch(lambda event, text, fields: seen.append(event.name))
    assert events.is_wanted(log, "call")
    events.report(log, "call")
    unwatch()
    assert not events.is_wanted(log, "call")
    events.report(log, "call")
    assert seen == ["call"]


@pytest.mark.parametrize(
    ("text", "level"),
    [("3", 3), ("1 auth:5", 1), ("all:7", 7), ("10@/var/log/x", 10), ("", 0), ("auth:x", None)],
)
def test_debug_levels_are_read_as_samba_reads_them(text: str, level: int) -> None:
    assert logs.first_level(text) == level


def test_messages_are_traced_with_names_for_numbers() -> None:
    request = m.CommitShadowCopySet(bytes(15) + b"\1", 60000)
    assert trace.decoded(request) == (
        "CommitShadowCopySet(shadow_copy_set_id={00000000-0000-0000-0000-000000000001},"
        " timeout_in_milliseconds=60000)"
    )
    assert trace.ids(request) == {"set": SET}
    response = m.StatusResponse(HResult.FSRVP_E_BAD_STATE)
    assert trace.decoded(response) == "StatusResponse(result=FSRVP_E_BAD_STATE (0x80042301))"
