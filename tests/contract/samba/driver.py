"""Runs in the lab: a registry client that the test calls through a UNIX socket."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from fsrvpd.protocol.cluster import Warrant
from samba_hooks.pipe import named_pipe_auth
from samba_hooks.pipe.listener import PipeListener
from samba_hooks.registry.client import RegistryClient
from samba_hooks.registry.net_commands import CommandRegistry
from samba_hooks.registry.open_registry import Registry, open_registry

KINDS: Dict[str, Callable[..., Registry]] = {
    "library": RegistryClient,
    "commands": CommandRegistry,
    "either": open_registry,
}


class Driver:
    """Methods that a test may call by name: the client's, and those below."""

    def __init__(self) -> None:
        self.client: Optional[Registry] = None
        self.listener: Optional[PipeListener] = None

    def listen(self, ncalrpc_dir: str) -> None:
        self.listener = PipeListener(ncalrpc_dir)

    def accept(self) -> named_pipe_auth.PipeRequest:
        """Wait for a client from smbd. Returns its named_pipe_auth request, and disconnects it."""
        assert self.listener is not None
        assert select.select([self.listener], [], [], 20)[0], "smbd does not come"
        connection = self.listener.accept()
        assert connection is not None
        with connection:
            connection.setblocking(True)
            blob = connection.recv(named_pipe_auth.LENGTH_SIZE, socket.MSG_WAITALL)
            rest = named_pipe_auth.request_size(blob) - named_pipe_auth.LENGTH_SIZE
            request = named_pipe_auth.parse_request(
                blob + connection.recv(rest, socket.MSG_WAITALL)
            )
            connection.sendall(named_pipe_auth.reply(request.level))
        return request

    def start(self, kind: str, *arguments: Any, **options: Any) -> str:
        """Start a client of the class that `kind` names."""
        self.client = KINDS[kind](*arguments, **options)
        return type(self.client).__name__

    def lead(self, *warrant: Any) -> None:
        """Change the registry as the agent of a cluster that has won this."""
        assert isinstance(self.client, RegistryClient)
        self.client.warrant = Warrant(*warrant)

    def worker(self) -> Optional[int]:
        """Return the worker's process id in the lab, or None if there is no worker."""
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        return int(children[0]) if children else None

    def signal_worker(self, number: int) -> None:
        worker = self.worker()
        assert worker is not None
        os.kill(worker, number)

    def resident_kib(self) -> int:
        pages = Path(f"/proc/{self.worker()}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE") // 1024

    def repeat(self, count: int, name: str, *arguments: Any) -> float:
        """Call a method of the client `count` times. Returns seconds for each call."""
        method = getattr(self.client, name)
        start = time.perf_counter()
        for _ in range(count):
            method(*arguments)
        return (time.perf_counter() - start) / count

    def call_later(self, name: str, *arguments: Any) -> None:
        """Call a method of the client in a thread, unless a thread is already calling it."""
        if threading.active_count() == 1:
            method = getattr(self.client, name)
            threading.Thread(target=method, args=arguments, daemon=True).start()

    def worker_waits_for_lock(self) -> bool:
        """Return whether the worker waits for a lock, according to the kernel."""
        locks = Path("/proc/locks").read_text()
        return any(f" {self.worker()} " in line for line in locks.splitlines() if "->" in line)

    def call_while_killing(self, delay: float, name: str, *arguments: Any) -> None:
        """Kill the worker `delay` seconds after a method of the client was called."""
        worker = self.worker()
        assert worker is not None
        threading.Timer(delay, os.kill, [worker, signal.SIGKILL]).start()
        getattr(self.client, name)(*arguments)


def main() -> None:
    driver = Driver()
    with Listener(sys.argv[1]) as listener, listener.accept() as connection:
        while True:
            try:
                name, arguments, options = connection.recv()
            except EOFError:
                return
            target = driver if hasattr(driver, name) else driver.client
            try:
                connection.send((True, getattr(target, name)(*arguments, **options)))
            except Exception as error:
                connection.send((False, error))


if __name__ == "__main__":
    main()
