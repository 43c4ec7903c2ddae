"""The limit on open files, and what pipes may have of it."""

from __future__ import annotations

import logging
import resource

import pytest

from fsrvpd.daemon import descriptors
from fsrvpd.daemon.descriptors import CONTROL, MAX_PIPES, METRICS, SNAP, WANTED

NO_LIMIT = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to"),
    [
        (1024, 524288, WANTED),
        (1024, NO_LIMIT, WANTED),
        (1024, 4096, 4096),
        (1024, 1024, None),
        (WANTED + 1, WANTED + 1, None),
        (NO_LIMIT, NO_LIMIT, None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised_to: int
) -> None:
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    expected = raised_to or (WANTED if soft == NO_LIMIT else soft)
    assert descriptors.raise_limit() == expected
    assert limits == ([(raised_to, hard)] if raised_to else [])


def test_a_low_hard_limit_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    descriptors.raise_limit()
    [message] = caplog.messages
    assert f"fsrvpd may open 1024 files at most, which is enough for {1024 - 256 - 160}" in message


@pytest.mark.parametrize("limit", [512, 1024, 4096, WANTED, 1 << 20])
def test_pipes_leave_room_for_admins_and_disks(limit: int) -> None:
    pipes = descriptors.pipes(limit)
    assert pipes + CONTROL + SNAP + METRICS <= limit - limit // 4 or limit > WANTED // 2
    assert pipes <= MAX_PIPES
    assert pipes > 128


def test_all_that_may_be_wanted_fits() -> None:
    assert descriptors.pipes(WANTED) == MAX_PIPES
