from __future__ import annotations

import os
import re
from typing import Iterator

import pytest

from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.providers.command.volume_name import volume_name_of


@pytest.fixture
def mounts() -> Iterator[LiveMounts]:
    live = LiveMounts()
    yield live
    live.close()


def test_a_volume_without_uuid_is_named_for_what_is_mounted(mounts: LiveMounts) -> None:
    fd = os.open("/proc", os.O_RDONLY)
    assert re.fullmatch(r"command:proc:[^:]+:/", volume_name_of(fd, mounts))
    os.close(fd)
