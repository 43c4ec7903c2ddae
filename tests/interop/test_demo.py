"""`make demo` does what it prints, and cleans up whatever happens."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import leftovers
from lab.namespaces import prefix, wait_until

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "demo.demo"]


def test_the_demo_tells_the_main_job() -> None:
    done = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "exposed as a snapshot of",
        "is a shadow-copy of",
        "Draft of Monday.",
        "eve at projects@{",
        "shadow-copy deleted",
        "snapshots on the volume: none",
    ):
        assert told in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_nothing(number: signal.Signals) -> None:
    with subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        while "fsrvpd starts" not in demo.stdout.readline():
            assert demo.poll() is None
        demo.send_signal(number)
        demo.communicate(timeout=60)  # reads on: it may print once more before it is interrupted
    assert demo.returncode == (-number if number == signal.SIGKILL else 130)
    wait_until("nothing is left", lambda: not leftovers.with_prefix(prefix(demo.pid)))
