"""The journal gets each value of an event as a field; without a journal nothing is lost."""

from __future__ import annotations

import logging
import socket
import struct
import sys
from pathlib import Path

import pytest

from fsrvpd.daemon.log import events
from fsrvpd.daemon.log.journal import MAX_VALUE, JournalHandler, _encoded, entry

SET = "{00000000-0000-0000-0000-000000000001}"


def test_a_line_end_in_a_name_makes_no_second_entry(log: logging.Logger) -> None:
    found: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = found.append  # type: ignore[method-assign]
    log.addHandler(handler)
    events.report(log, "set-removing", "", account="a\nevent=forged")
    [record] = found
    assert "\n" not in record.getMessage()
    fields = entry(record).split(b"\n")
    assert b"FSRVPD_EVENT=forged" not in fields


def test_the_journal_gets_each_value_as_a_field(log: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        handler = JournalHandler(str(path))
        log.addHandler(handler)
        events.report(log, "set-removing", "two\nlines", set=SET, account="two\nmore")
        received = journal.recv(65536)
        handler.close()
    message = rf"event=set-removing set={SET} account='two\nmore' two\nlines".encode()
    assert received.startswith(b"MESSAGE=" + message + b"\n")
    assert b"FSRVPD_ACCOUNT\n" + struct.pack("<Q", 8) + b"two\nmore\n" in received
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


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.ERROR, 3), (logging.WARNING, 4), (25, 5), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_levels_are_the_priorities_of_syslog(level: int, priority: int) -> None:
    record = logging.LogRecord("fsrvpd", level, "", 0, "text", None, None)
    assert f"PRIORITY={priority}".encode() in entry(record).split(b"\n")


def test_a_long_value_is_cut_and_a_traceback_is_sent() -> None:
    try:
        raise ValueError("x" * MAX_VALUE)
    except ValueError:
        record = logging.LogRecord("fsrvpd", 40, "", 0, "failed", None, sys.exc_info())
    sent = entry(record)
    assert b"failed\n    Traceback" in sent
    assert len(sent) < MAX_VALUE + 200


def test_a_value_that_is_no_text_is_sent_all_the_same() -> None:
    assert _encoded("A", "\udcff") == b"A=\xff\n"
    assert _encoded("A", "\ud800") == b"A=\\ud800\n"
