"""The client keeps its contract if the worker dies, hangs, is abandoned or runs for long."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from fsrvpd.errors import RegistryError
from lab.namespaces import only_child, wait_until

from .conftest import Nas, RemoteRegistry

HOLD_LOCK = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as database:
    fcntl.lockf(database, fcntl.LOCK_EX)
    open(sys.argv[1] + ".held", "w").close()
    time.sleep(600)
"""
DELAYS = [number * 0.0004 for number in range(25)]  # s; an expose of three takes about 5 ms


@pytest.fixture
def registry(nas: Nas) -> Iterator[RemoteRegistry]:
    registry = nas.new_registry("own")
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


def test_killed_anywhere_in_expose_and_unexpose(nas: Nas, registry: RemoteRegistry) -> None:
    """Wherever it was killed, the next worker completes the request exactly once."""
    shadows = [nas.shadow("data", number) for number in range(3)]
    names = [shadow.name for shadow in shadows]
    for delay in DELAYS:
        registry.call_while_killing(delay, "expose", shadows)
        assert sorted(registry.shadow_shares()) == sorted(names)
        registry.call_while_killing(delay, "unexpose", names)
        assert registry.shadow_shares() == {}
    registry.expose(shadows)
    assert nas.samba.read(names[0], "file") == "in copy of data"


def test_a_panic_of_samba_ends_the_worker_only(nas: Nas, registry: RemoteRegistry) -> None:
    registry.signal_worker(signal.SIGABRT)
    registry.expose([nas.shadow("data")])
    assert registry.shadow_shares() == {nas.shadow("data").name: nas.shadow("data").shadow_copy_id}


def test_a_changed_smb_conf_is_read_before_somebody_asks(
    nas: Nas, registry: RemoteRegistry, tmp_path: Path
) -> None:
    """Who asks then does not wait for Samba's parser."""
    assert registry.share("late") is None
    reads, said, before = tmp_path / "reads", tmp_path / "said", nas.samba.conf.read_text()
    worker = str(only_child(registry.process.pid))
    argv = ["strace", "-e", "trace=openat", "-o", str(reads), "-p", worker]
    with said.open("w") as errors:
        strace = subprocess.Popen(argv, stderr=errors)
    wait_until("strace is attached", lambda: "attached" in said.read_text())

    def number() -> int:
        return reads.read_text().count(f'"{nas.samba.conf}"')

    nas.samba.conf.write_text(before + "\n".join(nas.share("late").section()))
    wait_until("smb.conf is read, by Samba and for its includes", lambda: number() == 2)
    assert registry.share("late").name == "late"
    assert number() == 2
    nas.samba.conf.write_text("[global]\nno parameter = at all\n[[[")
    with pytest.raises(RegistryError):
        registry.share("late")
    nas.samba.conf.write_text(before)
    assert registry.share("late") is None
    strace.terminate()
    strace.wait(20)


def test_a_worker_that_hangs_is_ended(nas: Nas) -> None:
    registry = nas.new_registry("hasty", timeout=3.0)
    registry.configuration()
    first = registry.worker()
    registry.signal_worker(signal.SIGSTOP)
    with pytest.raises(RegistryError, match=r"timed out after 3 s"):
        registry.expose([nas.shadow("data")])
    assert registry.shadow_shares() == {}
    assert registry.worker() != first
    registry.hang_up()


def test_the_worker_ends_with_the_daemon(nas: Nas) -> None:
    registry = nas.new_registry("abandoning")
    registry.configuration()
    worker = registry.worker()
    registry.process.kill()
    wait_until("the worker is gone", lambda: not alive(nas, worker))


def test_even_a_stuck_worker_ends_with_the_daemon(nas: Nas) -> None:
    """The worker waits for a lock of the registry that another process holds."""
    registry = nas.new_registry("stuck")
    registry.configuration()
    worker = registry.worker()
    database = nas.samba.place("state directory") / "registry.tdb"
    holder = nas.lab.popen([sys.executable, "-c", HOLD_LOCK, database])
    wait_until("the lock is held", lambda: waits_for_a_lock(registry, nas))
    registry.process.kill()
    wait_until("the worker is gone", lambda: not alive(nas, worker))
    holder.kill()


def test_a_worker_whose_daemon_died_changes_nothing_any_more(nas: Nas) -> None:
    """A new daemon may be undoing the request that the worker was waiting to carry out."""
    registry = nas.new_registry("orphaning")
    registry.configuration()
    worker = registry.worker()
    database = nas.samba.place("state directory") / "registry.tdb"
    held = database.with_name("registry.tdb.held")
    held.unlink(missing_ok=True)
    holder = nas.lab.popen([sys.executable, "-c", HOLD_LOCK, database])
    wait_until("the lock is held", held.exists)
    wait_until("the worker waits for it", lambda: waits_for_a_lock(registry, nas, 98))
    registry.process.kill()
    holder.kill()
    wait_until("the worker is gone", lambda: not alive(nas, worker))
    assert nas.shadow("data", 98).name not in nas.registry_names()


def waits_for_a_lock(registry: RemoteRegistry, nas: Nas, number: int = 99) -> bool:
    registry.call_later("expose", [nas.shadow("data", number)])
    return bool(registry.worker_waits_for_lock())


def alive(nas: Nas, pid: int) -> bool:
    return nas.lab.run(["test", "-d", f"/proc/{pid}"], check=False).returncode == 0


def test_memory_stays_flat(nas: Nas, registry: RemoteRegistry) -> None:
    """Each kind of request is made once before the measurement (KiB), to fill the caches."""
    shadow = nas.shadow("data")

    def work(count: int) -> int:
        registry.repeat(count * 8, "share", "no such share")
        for _ in range(count):
            registry.expose([shadow])
            registry.unexpose([shadow.name])
        return int(registry.resident_kib())

    before = work(100)
    assert work(300) - before < 512


def test_unknown_config_file_is_an_error_that_names_it(nas: Nas) -> None:
    registry = RemoteRegistry(nas.lab, "lost")
    registry.start("library", "/nonexistent/smb.conf")
    with pytest.raises(RegistryError, match=r"/nonexistent/smb\.conf"):
        registry.configuration()
    registry.hang_up()
