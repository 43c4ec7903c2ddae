"""Which files are copied again."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsrvpd.requestor.copying.comparison import Change, change, ids_last, same_facts
from fsrvpd.requestor.copying.share import unix_ns
from fsrvpd.requestor.copying.side_file import Known
from tests.unit.requestor.copying.entries import MOMENT, entry

OURS = entry("f", file_id=7)


def status(mode: int = 0o100600, size: int = 5, modified: int = MOMENT) -> os.stat_result:
    fields = SimpleNamespace(st_mode=mode, st_size=size, st_mtime_ns=unix_ns(modified))
    return cast(os.stat_result, fields)


def known(**changed: Any) -> Known:
    return Known(3, OURS._replace(**changed), True, 1)


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        (None, status(), Change.NEW),
        (known(), None, Change.NEW),
        (known(), status(), Change.NOTHING),
        (known(size=6), status(), Change.CONTENT),
        (known(modified=MOMENT - 1), status(), Change.CONTENT),
        (known(), status(size=6), Change.CONTENT),
        (known(), status(mode=0o120777), Change.CONTENT),
        (known(), status(modified=MOMENT + 30_000_000), Change.CONTENT),
        (known(), status(modified=MOMENT + 9_000_000), Change.NOTHING),
        (known(changed=MOMENT - 1), status(), Change.CONTENT),
        (known(changed=MOMENT - 1, file_id=8), status(), Change.FACTS),
        (known()._replace(has_facts=False), status(), Change.FACTS),
    ],
)
def test_changes(before: Any, found: Any, expected: Change) -> None:
    assert change(before, OURS, found, ids_last=False) is expected
    assert change(before, OURS, found, ids_last=True) in (expected, Change.CONTENT)


def test_another_file_of_the_same_size_and_time_is_copied_where_file_ids_last() -> None:
    replaced = known(file_id=8)
    assert change(replaced, OURS, status(), ids_last=True) is Change.CONTENT
    assert change(replaced, OURS, status(), ids_last=False) is Change.FACTS
    assert change(known(), OURS, status(), ids_last=True) is Change.NOTHING
    above = known(is_directory=True)
    assert ids_last(above, OURS)
    assert not ids_last(above, OURS._replace(file_id=9))
    assert not ids_last(known(file_id=0), OURS._replace(file_id=0))


def test_facts_that_are_known() -> None:
    assert same_facts(known(), OURS)
    assert not same_facts(None, OURS)
    assert not same_facts(known(changed=1), OURS)
