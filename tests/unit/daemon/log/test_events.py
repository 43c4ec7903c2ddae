"""Each event is one line, and reaches watchers at any log level."""

from __future__ import annotations

import io
import logging
import re

from fsrvpd.daemon.log import events

SET = "{00000000-0000-0000-0000-000000000001}"


def test_an_event_is_one_line_of_keys_and_words(log: logging.Logger) -> None:
    text = io.StringIO()
    log.addHandler(logging.StreamHandler(text))
    events.report(log, "call-refused", "", set=SET, account="NAS\\back up", ms=1.25, opnum=4)
    assert text.getvalue() == (
        f"event=call-refused set={SET} account='NAS\\\\back up' ms=1.2 opnum=4\n"
    )


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


def test_names_and_ids_are_unique_identifiers() -> None:
    assert len({event.id for event in events.EVENTS}) == len(events.EVENTS)
    assert len(events.BY_NAME) == len(events.EVENTS)
    for event in events.EVENTS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event.name)
        assert event.meaning.endswith(".")


def test_reports_are_counted(log: logging.Logger) -> None:
    before = events.counts["set-removed"]
    events.report(log, "set-removed")
    assert events.counts["set-removed"] == before + 1
