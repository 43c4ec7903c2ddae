"""The header of a test run, the order of its tests, and a check for leftovers."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from fsrvpd import core
from lab import leftovers, namespaces
from lab.daemon import SCRIPTS
from tests.platform.once import once
from tests.selection import arrange, group_of, leave_out

# The time of an example depends on the machine's load, not on the tested code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TOOLS = {
    "samba": ["smbd", "-V"],
    "smbtorture": ["smbtorture", "-V"],
    "btrfs": ["mkfs.btrfs", "--version"],
    "xfs": ["mkfs.xfs", "-V"],
}
OnceARun = Callable[[str, Callable[[Path], None]], Path]
WORKERS = pytest.StashKey[set[int]]()  # ids of the processes of pytest-xdist that have run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--spec",
        metavar="ROW",
        help="only tests that prove a row of docs/conformance.md: 3.1.4.5-2, or all of 3.1.4.5",
    )


def pytest_configure() -> None:
    """Undo what `nohup` and a script's `&` hand down: the tests' programs would ignore these too.

    A handler is not inherited, so these programs have the default, and the tests outlive SIGHUP.
    """
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, lambda *unused: None),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_report_header() -> list[str]:
    tools = ", ".join(f"{name}: {first_line(argv)}" for name, argv in TOOLS.items())
    return [
        f"fsrvpd {version('fsrvpd')} ({core.describe()}); in labs {SCRIPTS}",
        f"linux {platform.release()}, {tools}",
    ]


def first_line(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return "not installed"
    return (done.stdout + done.stderr).strip().partition("\n")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Used instead of xdist's `loadgroup`: pytest 9.2 does not see the groups of xdist 3.8."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # by the number of tests, which says nothing of time
    return Groups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    arrange(items)
    leave_out(config, items, config.getoption("--spec"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    """Under `make coverage`, count the lines that run from now on for this test."""
    if "COVERAGE_PROCESS_START" in os.environ:
        import coverage

        running = coverage.Coverage.current()
        if running is not None:
            running.switch_context(nodeid)


@pytest.fixture(scope="session")
def once_a_run(tmp_path_factory: pytest.TempPathFactory) -> OnceARun:
    """once_a_run(name, make): a directory that the first worker fills and all workers read."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    return lambda name, make: once(place / name, make)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_on_the_machine() -> Iterator[None]:
    yield
    left = leftovers.with_prefix(namespaces.prefix(os.getpid()))
    assert not left, f"the tests left on the machine: {sorted(left)}"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: object) -> None:
    """Record the worker: if it is killed, it cannot clean up itself."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash.setdefault(WORKERS, set()).update(children())


def children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def pytest_sessionfinish(session: pytest.Session) -> None:
    prefixes = [namespaces.prefix(pid) for pid in session.config.stash.get(WORKERS, set())]

    def left() -> list[str]:
        return [each for prefix in prefixes for each in leftovers.with_prefix(prefix)]

    try:
        namespaces.wait_until("nothing is left of the workers", lambda: not left())
    except namespaces.LabError:
        print(f"\nthe workers left on the machine: {left()}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
