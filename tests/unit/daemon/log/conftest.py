"""A separate logger for each test."""

from __future__ import annotations

import logging

import pytest

from fsrvpd.daemon.log import levels


@pytest.fixture
def log() -> logging.Logger:
    return logging.Logger("fsrvpd.test", levels.CALLS)
