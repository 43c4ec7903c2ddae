"""The file for the node exporter, as Prometheus' own parser reads it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fsrvpd.requestor.ctl import metrics
from fsrvpd.requestor.errors import RequestorError

JOB = "nightly"
RESULT = metrics.Result(
    exit_status=0,
    ended=1_700_000_000.25,
    run=12.5,
    command=10.0,
    copies=2,
    skew=0.0004,
    window=0.0223,
    writers={"pg": 0.01, 'v"m': 0.1},
    failed_writers=1,
    left_out=3,
)
FAILED = metrics.Result(exit_status=125, ended=1_700_000_100.0, run=1.0)


def read(path: Path) -> dict[tuple[str, str], Any]:
    """Each value by its name and the job's or writer's."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.type == "gauge"
        assert family.documentation == dict(metrics.METRICS)[family.name]
        for sample in family.samples:
            assert sample.labels.pop("name") == JOB
            found[sample.name, sample.labels.get("writer", "")] = sample.value
    return found


def test_a_run_that_succeeded(tmp_path: Path) -> None:
    metrics.write(str(tmp_path), JOB, RESULT)
    assert read(tmp_path / "fsrvpshadow-nightly.prom") == {
        ("fsrvpshadow_last_run_timestamp_seconds", ""): 1_700_000_000.25,
        ("fsrvpshadow_last_success_timestamp_seconds", ""): 1_700_000_000.25,
        ("fsrvpshadow_exit_status", ""): 0,
        ("fsrvpshadow_run_seconds", ""): 12.5,
        ("fsrvpshadow_command_seconds", ""): 10,
        ("fsrvpshadow_copies", ""): 2,
        ("fsrvpshadow_skew_seconds", ""): 0.0004,
        ("fsrvpshadow_window_seconds", ""): 0.0223,
        ("fsrvpshadow_writer_held_seconds", "pg"): 0.01,
        ("fsrvpshadow_writer_held_seconds", 'v"m'): 0.1,
        ("fsrvpshadow_failed_writers", ""): 1,
        ("fsrvpshadow_left_out", ""): 3,
    }


def test_the_last_success_outlives_failures(tmp_path: Path) -> None:
    path = tmp_path / "fsrvpshadow-nightly.prom"
    metrics.write(str(tmp_path), JOB, FAILED)
    success = ("fsrvpshadow_last_success_timestamp_seconds", "")
    assert success not in read(path)
    for result in (RESULT, FAILED, FAILED):
        metrics.write(str(tmp_path), JOB, result)
    found = read(path)
    assert found[success] == 1_700_000_000.25
    assert found["fsrvpshadow_exit_status", ""] == 125
    assert ("fsrvpshadow_command_seconds", "") not in found


def test_the_exporter_sees_whole_files_that_it_may_read(tmp_path: Path) -> None:
    """Its user is another one, and it reads `*.prom` at any time."""
    before = os.umask(0o077)
    try:
        metrics.write(str(tmp_path), JOB, RESULT)
        (tmp_path / "fsrvpshadow-nightly.prom").write_bytes(b"\xff damaged")
        metrics.write(str(tmp_path), JOB, FAILED)
    finally:
        os.umask(before)
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert read(file)["fsrvpshadow_exit_status", ""] == 125


def test_any_name_of_a_job_is_a_files_name(tmp_path: Path) -> None:
    metrics.write(str(tmp_path), '../a "b"\n', RESULT)
    [file] = tmp_path.iterdir()
    assert file.name == "fsrvpshadow-..%2Fa%20%22b%22%0A.prom"
    for family in text_string_to_metric_families(file.read_text()):
        assert {sample.labels["name"] for sample in family.samples} == {'../a "b"\n'}


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestorError, match=r"metrics of this run .*No such file.*`metrics`"):
        metrics.write(str(tmp_path / "missing"), JOB, RESULT)
