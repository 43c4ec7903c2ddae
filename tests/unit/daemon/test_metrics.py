"""A reload changes the port and the file of the metrics completely or not at all."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Iterator

import pytest

from fsrvpd.config.daemon_options import DaemonSettings
from fsrvpd.daemon.event_loop import EventLoop
from fsrvpd.daemon.metrics import LOOPBACK, Metrics
from fsrvpd.errors import ConfigError
from lab.namespaces import wait_until


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    loop, nobody = EventLoop(), AnyThing()
    made = Metrics(loop, nobody, nobody, nobody, nobody, nobody)
    yield made
    made.close()
    loop.close()


class AnyThing:
    """A stub for the agent and the pipe, which are not called."""

    def __getattr__(self, name: str) -> Any:
        return AnyThing()

    def __call__(self, *arguments: object) -> None:
        return None


def settings(port: int, file: str = "") -> DaemonSettings:
    chosen: Any = AnyThing()
    chosen.metrics_port, chosen.metrics_file = port, file
    return chosen  # type: ignore[no-any-return]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def test_a_port_is_changed_by_the_commit_alone(metrics: Metrics) -> None:
    old, new = free_port(), free_port()
    metrics.prepare(settings(old)).commit()
    assert is_served(old)
    metrics.prepare(settings(new)).abandon()
    assert is_served(old)
    assert not is_served(new)
    metrics.prepare(settings(new)).commit()
    assert is_served(new)
    assert not is_served(old)


def test_a_port_that_another_program_has_is_refused(metrics: Metrics) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"fsrvpd:metrics port = {port}"):
            metrics.prepare(settings(port))


def test_a_file_is_removed_once_another_is_chosen(metrics: Metrics, tmp_path: Path) -> None:
    old = tmp_path / "old.prom"
    metrics.prepare(settings(0, str(old))).commit()
    old.write_text("numbers")
    metrics.prepare(settings(0, str(tmp_path / "new.prom"))).abandon()
    assert old.exists()
    metrics.prepare(settings(0, str(tmp_path / "new.prom"))).commit()
    wait_until("the old file is deleted", lambda: not old.exists())
