"""The space of the volumes that answer."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from fsrvpd.daemon.volume_space import VolumeSpace


def test_each_volume_that_answers_has_a_size(tmp_path: Path) -> None:
    space = VolumeSpace()
    found = space.of([str(tmp_path), str(tmp_path / "missing"), "nul\0"])
    assert list(found) == [str(tmp_path)]
    assert found[str(tmp_path)].f_blocks
    space.close()


def test_one_that_hangs_is_asked_once_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, asked, statvfs = threading.Event(), [], os.statvfs

    def slow(root: Any) -> Any:
        if root == "/dead":
            asked.append(root)
            go_on.wait(20)
        return statvfs("/")

    monkeypatch.setattr(os, "statvfs", slow)
    space = VolumeSpace(timeout=0.2)
    for _ in range(3):
        assert list(space.of(["/dead", "/live"])) == ["/live"]
    assert asked == ["/dead"]
    go_on.set()
    assert set(space.of(["/dead", "/live"])) == {"/dead", "/live"}
    space.close()
