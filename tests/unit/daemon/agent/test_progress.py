"""Snapshots that take time are reported while they are taken, and others are not."""

from __future__ import annotations

import threading
from typing import Any, Iterator, Mapping, Optional

import pytest

from fsrvpd.daemon.agent.progress import ProgressReporter
from fsrvpd.daemon.log import events
from fsrvpd.daemon.log.events import Event, Field
from fsrvpd.errors import ConfigError
from fsrvpd.protocol.ports import Progress, Provider, Share, ShareLocation, SnapshotRequest

SHARE = Share("data", "/vol/data", False)


class Slow:
    """A provider that reports its progress."""

    def progress(self, shadow_copy_id: str) -> Optional[Progress]:
        return Progress(7, 1.6, 60.0) if shadow_copy_id == "slow" else None


def provider(name: str) -> Provider:
    found: dict[str, Any] = {"slow": Slow(), "quick": object()}
    if name not in found:
        raise ConfigError(f"no provider {name}")
    chosen: Provider = found[name]
    return chosen


def request(name: str) -> SnapshotRequest:
    location = ShareLocation(SHARE, "volume", "/vol", name, "/vol/data")
    return SnapshotRequest("{SET}", name, location, False, 1.8e9)


@pytest.fixture
def reported() -> Iterator[list[Mapping[str, Field]]]:
    seen: list[Mapping[str, Field]] = []

    def watcher(event: Event, text: str, fields: Mapping[str, Field]) -> None:
        assert event.name == "snapshot-progress"
        seen.append(fields)

    unwatch = events.watch(watcher)
    yield seen
    unwatch()


def test_progress_is_asked_of_the_provider_that_can_tell() -> None:
    reporter = ProgressReporter(provider)
    assert reporter.progress("slow", "slow") == Progress(7, 1.6, 60.0)
    assert reporter.progress("slow", "another") is None
    assert reporter.progress("quick", "slow") is None
    assert reporter.progress("unknown", "slow") is None


def test_progress_is_reported_while_a_snapshot_is_taken(
    reported: list[Mapping[str, Field]],
) -> None:
    reporter = ProgressReporter(provider, interval=0.01)
    seen = threading.Event()
    with reporter.reporting([request("quick"), request("slow")]):
        for _ in range(2000):
            if reported or seen.wait(0.01):
                break
    number = len(reported)
    assert reported[0] == {"set": "{SET}", "share": "data", "files": 7, "seconds": 2}
    seen.wait(0.05)
    assert len(reported) == number, "reported after the snapshot was taken"


def test_quick_snapshots_make_no_thread(
    reported: list[Mapping[str, Field]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make one takes 20 us, although it is not started, and applications wait."""
    monkeypatch.setattr(threading, "Thread", None)
    with ProgressReporter(provider, interval=0.001).reporting([request("quick")]):
        pass
    assert reported == []
