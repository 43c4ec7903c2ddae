"""A reload takes effect in all components or in none, whatever a component raises."""

from __future__ import annotations

from typing import Optional

import pytest

from fsrvpd.daemon.reload import Change, apply_all_or_nothing


class Part:
    """Has a value, and an exception that the preparation or the commit of another raises."""

    def __init__(
        self,
        preparing: Optional[Exception] = None,
        committing: Optional[Exception] = None,
        abandoning: Optional[Exception] = None,
    ) -> None:
        self.value = "old"
        self.held = 0  # by a preparation
        self._preparing = preparing
        self._committing = committing
        self._abandoning = abandoning

    def prepare(self) -> Change:
        if self._preparing is not None:
            raise self._preparing
        self.held += 1
        return Change(self._commit, self._abandon)

    def _commit(self) -> None:
        self.held -= 1
        if self._committing is not None:
            raise self._committing
        self.value = "new"

    def _abandon(self) -> None:
        self.held -= 1
        if self._abandoning is not None:
            raise self._abandoning


def apply(*parts: Part) -> None:
    apply_all_or_nothing([part.prepare for part in parts])


def values(*parts: Part) -> list[str]:
    return [part.value for part in parts]


def test_a_reload_commits_every_part() -> None:
    parts = (Part(), Part())
    apply(*parts)
    assert values(*parts) == ["new", "new"]


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyError("group"), ZeroDivisionError()])
def test_a_reload_that_cannot_be_prepared_changes_nothing(error: Exception) -> None:
    parts = (Part(), Part(), Part(preparing=error), Part())
    with pytest.raises(type(error)):
        apply(*parts)
    assert values(*parts) == ["old"] * 4
    assert [part.held for part in parts] == [0] * 4, "a prepared change was not abandoned"


def test_a_commit_that_fails_against_its_word_leaves_out_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = (Part(committing=ZeroDivisionError()), Part())
    apply(*parts)
    assert values(*parts) == ["old", "new"]
    assert "please report this" in caplog.text


def test_what_is_abandoned_after_a_failure_is_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    error = OSError(13, "denied")
    parts = (Part(), Part(abandoning=KeyError("x")), Part(preparing=error))
    with pytest.raises(OSError, match="denied"):
        apply(*parts)
    assert [part.held for part in parts] == [0, 0, 0]
    assert "please report this" in caplog.text
