"""The stages of `run` with writers and mounts: their order, what fails, signals in each of them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Callable

import pytest

from fsrvpd.requestor.ctl import configuration, run
from fsrvpd.requestor.ctl.configuration import Section
from fsrvpd.requestor.ctl.main import main
from fsrvpd.requestor.events import Event
from tests.unit.requestor.ctl.fake_run import FakeParts, refusing, unshown

STEPS = ["create", "prepare", "freeze", "thaw", "mount", "complete", "close", "unmount", "delete"]
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeParts:
    fake = FakeParts(tmp_path)
    job = Section(shares=("\\\\nas\\data\\sub",), run=("sh", "-c", "exit 0"), metrics=str(tmp_path))
    found = configuration.Configuration(jobs={"nightly": job})
    monkeypatch.setattr(run, "open_store", lambda output: fake.store)
    monkeypatch.setattr(run, "RunParts", fake)
    monkeypatch.setattr(configuration, "load", lambda: found)
    return fake


def shell(script: str, *options: str) -> int:
    return main([*options, "run", "-c", "nightly", "--", "sh", "-c", script])


def metrics_of(directory: Path) -> dict[str, float]:
    lines = (directory / "fsrvpshadow-nightly.prom").read_text().splitlines()
    pairs = [line.split("{name") for line in lines if not line.startswith("#")]
    return {name.replace("fsrvpshadow_", ""): float(rest.split()[-1]) for name, rest in pairs}


def test_all_stages_in_their_order(
    parts: FakeParts, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = 'pwd; echo "$FSRVPSHADOW_MOUNT $FSRVPSHADOW_MOUNT_1"'
    assert shell(script) == 0
    assert parts.steps == STEPS
    directory = tmp_path / "mnt" / "nightly"
    assert capfd.readouterr().out == f"{directory}\n{directory} {directory}/data\n"


def test_a_command_that_is_named_from_here_is_found(
    parts: FakeParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it starts elsewhere."""
    (tmp_path / "backup").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "backup").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-c", "nightly", "--", "./backup"]) == 7


def test_without_mounts_the_command_starts_where_we_are(
    parts: FakeParts, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-c", "nightly", "--no-mount", "--", "sh", "-c", "env; pwd"]) == 0
    printed = capfd.readouterr().out
    assert "FSRVPSHADOW_MOUNT" not in printed
    assert printed.splitlines()[-1] == os.getcwd()
    assert "mount" not in parts.steps


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("prepare", ["create", "prepare", "close"]),
        ("freeze", ["create", "prepare", "freeze", "thaw", "close"]),
        ("thaw", ["create", "prepare", "freeze", "thaw", "close"]),
        ("mount", [*STEPS[:5], "close", "unmount", "delete"]),
        ("complete", STEPS),
        ("unmount", STEPS),
    ],
)
def test_a_stage_that_fails(
    parts: FakeParts, step: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parts.at[step] = refusing("it refuses")
    assert shell("exit 0") == 125
    assert parts.steps == expected
    assert capsys.readouterr().err == "fsrvpshadow: nas: it refuses; look\n"
    assert parts.writers is not None
    assert not parts.writers.is_frozen


def test_a_mount_that_has_ended_too_early_does_not_hide_the_status(parts: FakeParts) -> None:
    parts.at["unmount"] = refusing("it had ended")
    assert shell("exit 9") == 9


def interrupting(number: int) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("prepare", ["create", "prepare", "clean", "close"]),
        ("freeze", ["create", "prepare", "freeze", "thaw", "clean", "close"]),
        ("thaw", ["create", "prepare", "freeze", "thaw", "clean", "close"]),
        ("mount", [*STEPS[:5], "close", "unmount", "delete"]),
        ("complete", STEPS),
        ("unmount", STEPS),
        ("close", STEPS),
    ],
)
def test_a_signal_in_a_stage(
    parts: FakeParts,
    step: str,
    expected: list[str],
    number: signal.Signals,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts.at[step] = interrupting(number)
    assert shell("exit 0") == 128 + number
    assert parts.steps == expected
    assert capsys.readouterr().err == f"fsrvpshadow: ended by {number.name}\n"
    assert parts.writers is not None
    assert not parts.writers.is_frozen
    assert metrics_of(tmp_path)["exit_status"] == 128 + number


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_while_the_command_runs(parts: FakeParts, number: signal.Signals) -> None:
    assert shell(f"kill -{number.name[3:]} $PPID; sleep 60") == 128 + number
    assert parts.steps == STEPS


def test_what_a_mount_could_not_show_is_no_success(
    parts: FakeParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """restic and borg end with 0 where an attribute is too large for them."""
    assert parts.mounts is not None
    parts.mounts.unshown = [unshown("stream-too-large", 3), unshown("name-beyond-windows", 2)]
    assert shell("exit 0") == 3
    assert "3 files" in capsys.readouterr().err
    assert metrics_of(tmp_path)["left_out"] == 3
    assert shell("exit 5") == 5
    parts.mounts.unshown = [unshown("name-beyond-windows", 2)]
    assert shell("exit 0") == 0
    assert metrics_of(tmp_path)["left_out"] == 0


def thawed(parts: FakeParts) -> Callable[[], object]:
    def tell() -> None:
        assert parts.events is not None
        pg: dict[str, Any] = {"writer": "pg", "kind": "postgresql"}
        failed = {**pg, "required": False, "error": "no"}
        parts.events.of_writers(Event("writer-failed", "writer vm: no", failed))
        parts.events.of_writers(Event("writer-thawed", "pg thawed", {**pg, "held_ms": 20.5}))
        fields = {"window_ms": 22.0, "worst_writer": "pg", "worst_ms": 20.5, "limit_ms": 1e4}
        parts.events.of_writers(Event("writers-thawed", "22 ms", fields))

    return tell


def test_times_of_writers_are_printed_and_measured(
    parts: FakeParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts.at["thaw"] = thawed(parts)
    assert shell("exit 0") == 0
    assert capsys.readouterr().err.splitlines() == [
        "fsrvpshadow: warning: writer vm: no; it is not required, and left out",
        "fsrvpshadow: pg thawed",
        "fsrvpshadow: 22 ms",
    ]
    found = metrics_of(tmp_path)
    assert (found["window_seconds"], found["failed_writers"]) == (0.022, 1)
    assert found["writer_held_seconds"] == 0.0205


def test_times_of_writers_are_events_with_json(
    parts: FakeParts, capfd: pytest.CaptureFixture[str]
) -> None:
    parts.at["thaw"] = thawed(parts)
    assert shell("exit 0", "--json") == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    [held] = [line for line in lines if line["event"] == "writers-thawed"]
    assert (held["window_ms"], held["worst_writer"]) == (22.0, "pg")


def test_metrics_that_cannot_be_written_are_no_failure(
    parts: FakeParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fsrvpshadow-nightly.prom").mkdir()
    assert shell("exit 0") == 0
    assert "the metrics of this run cannot be written" in capsys.readouterr().err
