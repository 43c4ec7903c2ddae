"""The worker dies, hangs, is abandoned, lives long: the client's promises hold."""

from __future__ import annotations

import signal
import sys
from typing import Iterator

import pytest

from fsrvpd.errors import RegistryError
from tests.lab.namespaces import wait_until

from .conftest import RemoteRegistry, Site

HOLD_LOCK = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as database:
    fcntl.lockf(database, fcntl.LOCK_EX)
    open(sys.argv[1] + ".held", "w").close()
    time.sleep(600)
"""
DELAYS = [number * 0.0004 for number in range(25)]  # s; an expose of three takes about 5 ms


@pytest.fixture
def registry(site: Site) -> Iterator[RemoteRegistry]:
    registry = site.new_registry("own")
    registry.configuration()
    yield registry
    registry.unexpose(list(registry.shadow_shares()))
    registry.hang_up()
    registry.process.wait()


def test_a_dead_worker_is_replaced(registry: RemoteRegistry) -> None:
    first = registry.worker()
    registry.signal_worker(signal.SIGKILL)
    assert registry.share("data").name == "data"
    assert registry.worker() != first


def test_killed_anywhere_in_expose_and_unexpose(site: Site, registry: RemoteRegistry) -> None:
    """Whatever it was doing, the request is done once, wholly, by the next worker."""
    shadows = [site.shadow("data", number) for number in range(3)]
    names = [shadow.name for shadow in shadows]
    for delay in DELAYS:
        registry.call_while_killing(delay, "expose", shadows)
        assert sorted(registry.shadow_shares()) == sorted(names)
        registry.call_while_killing(delay, "unexpose", names)
        assert registry.shadow_shares() == {}
    registry.expose(shadows)
    assert site.samba.read(names[0], "file") == "in copy of data"


def test_a_panic_of_samba_ends_the_worker_only(site: Site, registry: RemoteRegistry) -> None:
    registry.signal_worker(signal.SIGABRT)
    registry.expose([site.shadow("data")])
    assert registry.shadow_shares() == {
        site.shadow("data").name: site.shadow("data").shadow_copy_id
    }


def test_a_worker_that_hangs_is_ended(site: Site) -> None:
    registry = site.new_registry("hasty", timeout=0.5)
    registry.configuration()
    first = registry.worker()
    registry.signal_worker(signal.SIGSTOP)
    with pytest.raises(RegistryError, match=r"no answer .* in 0\.5 s"):
        registry.expose([site.shadow("data")])
    assert registry.shadow_shares() == {}
    assert registry.worker() != first
    registry.hang_up()


def test_the_worker_ends_with_the_daemon(site: Site) -> None:
    registry = site.new_registry("abandoning")
    registry.configuration()
    worker = registry.worker()
    registry.process.kill()
    wait_until("the worker is gone", lambda: not alive(site, worker))


def test_even_a_stuck_worker_ends_with_the_daemon(site: Site) -> None:
    """It waits for a lock of the registry's that another process holds."""
    registry = site.new_registry("stuck")
    registry.configuration()
    worker = registry.worker()
    database = site.samba.place("state directory") / "registry.tdb"
    holder = site.lab.popen([sys.executable, "-c", HOLD_LOCK, database])
    wait_until("the lock is held", lambda: waits_for_a_lock(registry, site))
    registry.process.kill()
    wait_until("the worker is gone", lambda: not alive(site, worker))
    holder.kill()


def test_a_worker_whose_daemon_died_changes_nothing_any_more(site: Site) -> None:
    """Another daemon may be undoing what it was asked for while it waited for the lock."""
    registry = site.new_registry("orphaning")
    registry.configuration()
    worker = registry.worker()
    database = site.samba.place("state directory") / "registry.tdb"
    held = database.with_name("registry.tdb.held")
    held.unlink(missing_ok=True)
    holder = site.lab.popen([sys.executable, "-c", HOLD_LOCK, database])
    wait_until("the lock is held", held.exists)
    wait_until("the worker waits for it", lambda: waits_for_a_lock(registry, site, 98))
    registry.process.kill()
    holder.kill()
    wait_until("the worker is gone", lambda: not alive(site, worker))
    assert site.shadow("data", 98).name not in site.registry_names()


def waits_for_a_lock(registry: RemoteRegistry, site: Site, number: int = 99) -> bool:
    registry.call_later("expose", [site.shadow("data", number)])
    return bool(registry.worker_waits_for_lock())


def alive(site: Site, pid: int) -> bool:
    return site.lab.run(["test", "-d", f"/proc/{pid}"], check=False).returncode == 0


def test_memory_stays_flat(site: Site, registry: RemoteRegistry) -> None:
    """In KiB. Each kind of request once before, so that caches are filled."""
    shadow = site.shadow("data")

    def work(count: int) -> int:
        registry.repeat(count * 8, "share", "no such share")
        for _ in range(count):
            registry.expose([shadow])
            registry.unexpose([shadow.name])
        return int(registry.resident_kib())

    before = work(100)
    assert work(300) - before < 512


def test_unknown_config_file_is_an_error_that_names_it(site: Site) -> None:
    registry = RemoteRegistry(site.lab, "lost")
    registry.start("library", "/nonexistent/smb.conf")
    with pytest.raises(RegistryError, match=r"/nonexistent/smb\.conf"):
        registry.configuration()
    registry.hang_up()
