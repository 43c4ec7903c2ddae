"""A file of metrics that cannot be written concerns nobody else."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.daemon.metrics_file import MetricsFile
from lab.namespaces import wait_until


@pytest.fixture
def file() -> Iterator[MetricsFile]:
    made = MetricsFile(lambda: b"numbers")
    yield made
    made.close()


def test_it_is_written_for_everybody_to_read(file: MetricsFile, tmp_path: Path) -> None:
    path = tmp_path / "fsrvpd.prom"
    file.set_path(str(path))
    file.write()
    wait_until("it is written", path.exists)
    assert path.read_bytes() == b"numbers"
    assert path.stat().st_mode & 0o777 == 0o644
    file.set_path("")
    wait_until("it is deleted", lambda: list(tmp_path.iterdir()) == [])


NAMES = {"missing": "missing/file", "NUL": "nul\0", "long": "x" * 300}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_what_cannot_be_written_is_logged_once(
    file: MetricsFile, tmp_path: Path, caplog: Any, name: str
) -> None:
    file.set_path(str(tmp_path / name))
    for _ in range(3):
        file.write()
        file._written.wait(20)
    assert caplog.text.count("metrics cannot be written") == 1
    file.set_path(str(tmp_path / "good"))
    file.write()
    wait_until("another is written", (tmp_path / "good").exists)


def test_while_a_write_hangs_no_other_begins(tmp_path: Path) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> bytes:
        begun.release()
        go_on.wait(20)
        return b""

    file = MetricsFile(hang)
    file.set_path(str(tmp_path / "file"))
    for _ in range(3):
        file.write()
    assert begun.acquire(timeout=20)
    assert not begun.acquire(timeout=0.1)
    go_on.set()
    file.close()
