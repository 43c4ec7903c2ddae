"""All-or-nothing reload: every part prepares what may fail, then all commit."""

from __future__ import annotations

import contextlib
import logging
from typing import Callable, Iterable, NamedTuple

log = logging.getLogger("fsrvpd")


def _nothing() -> None:
    return None


class Change(NamedTuple):
    """A part's new configuration, prepared. One of the two is called soon after; neither may
    fail."""

    commit: Callable[[], None]
    abandon: Callable[[], None] = _nothing


Prepare = Callable[[], Change]  # changes nothing when it raises


def apply_all_or_nothing(parts: Iterable[Prepare]) -> None:
    """Prepare the change of every part, then commit them.

    Raises: whatever a preparation raises; then nothing has changed.
    """
    changes: list[Change] = []
    with contextlib.ExitStack() as prepared:
        for prepare in parts:
            change = prepare()
            prepared.callback(_carry_out, change.abandon)
            changes.append(change)
        prepared.pop_all()
    for change in changes:
        _carry_out(change.commit)


def _carry_out(step: Callable[[], None]) -> None:
    """A step that fails in spite of its contract must not prevent the others."""
    try:
        step()
    except Exception:
        log.exception("a part of the reload failed; please report this")
