from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Dict
from uuid import UUID

import pytest

from fsrvpd.providers.btrfs.dirty_bytes import dirty_bytes

FILE_SYSTEM = UUID("6d2c4d1b-4ad4-4b39-b3a5-0d1d35cd7c14")
COUNTERS = {
    "data/bytes_may_use": "4096\n",
    "data/bytes_reserved": "8192\n",
    "metadata/bytes_reserved": "16384\n",
    "metadata/bytes_may_use": "1073741824\n",  # what is set aside, not dirty
}


def sysfs(directory: Path, counters: Dict[str, str]) -> Path:
    for name, text in counters.items():
        counter = directory / str(FILE_SYSTEM) / "allocation" / name
        counter.parent.mkdir(parents=True, exist_ok=True)
        counter.write_text(text)
    return directory


def test_dirty_bytes_are_the_sum_of_what_is_to_be_written(tmp_path: Path) -> None:
    assert dirty_bytes(FILE_SYSTEM, sysfs(tmp_path, COUNTERS)) == 4096 + 8192 + 16384


@pytest.mark.parametrize("name", list(COUNTERS)[:3])
@pytest.mark.parametrize("text", ["", "many\n"])
def test_dirty_bytes_are_unknown_if_a_counter_is(tmp_path: Path, name: str, text: str) -> None:
    assert dirty_bytes(FILE_SYSTEM, sysfs(tmp_path, {**COUNTERS, name: text})) == inf


def test_dirty_bytes_are_unknown_with_mixed_block_groups(tmp_path: Path) -> None:
    """Such a file system has no `data` there."""
    counters = {"mixed/bytes_may_use": "4096\n", "mixed/bytes_reserved": "8192\n"}
    assert dirty_bytes(FILE_SYSTEM, sysfs(tmp_path, counters)) == inf
