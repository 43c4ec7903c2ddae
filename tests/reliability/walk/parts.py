"""Points put before everything durable: `daemon.parts.Parts` for the ports, and below them
the system calls of the providers and the calls of the registry worker into Samba's library.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import socket
import sys
import threading
from typing import Any, Callable, NoReturn

from fsrvpd.core import btrfs, clones, files
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.daemon.parts import Parts
from fsrvpd.errors import RegistryError, StorageError, StoreError
from fsrvpd.providers.selection import Selection
from samba_hooks import registry as hooks
from samba_hooks.worker import __main__ as worker
from samba_hooks.worker import libsmbconf
from tests.reliability.walk.points import Points, Walked, through

CALLS = {
    btrfs: ("create_subvolume", "create_snapshot", "destroy_subvolume", "set_read_only"),
    clones: ("clone_plain_files",),
    files: ("sync_file_system",),
    os: ("symlink", "unlink", "mkdir", "rmdir", "rename", "link", "fchmod", "fchown"),
}
DIFFERENT = (
    (r"\{[-0-9A-F]{36}\}", "ID"),
    (r"\d{4}(\.\d\d){2}-\d\d(\.\d\d){2}", "LABEL"),
    (r"[0-9a-f]{32}", "KEY"),
)
QUESTIONS = ("housekeeping", "lookup")  # what the names of such threads begin with
SOURCE = ("begin", "create", "set", "delete", "commit")
LIBRARY = ("copy_descriptor", "delete_descriptor")


def io_error(text: str) -> OSError:
    return OSError(errno.EIO, text)


def storage_error(text: str) -> StorageError:
    return StorageError("the volume", text, error_number=errno.EIO)


class WalkedParts(Parts):
    def __init__(self, points: Points) -> None:
        self._points = points
        for module, names in CALLS.items():
            for name in names:
                _replace(points, module, name)

    def store(self, path: str) -> Any:
        return Walked(self._points, "store", super().store(path), ("apply",), StoreError)

    def selection(self, mounts: LiveMounts, registry: Any, folder: str) -> Selection:
        methods = ("plan", "prepare", "create", "seal", "delete")
        providers = super().selection(mounts, registry, folder).all()
        return Selection(
            [Walked(self._points, each.name, each, methods, storage_error) for each in providers]  # type: ignore[misc]
        )

    def registry(self, arguments: argparse.Namespace) -> Any:
        overrides = [tuple(text.split("=", 1)) for text in arguments.option]
        client = ForkingClient(self._points, arguments.configfile, overrides)
        return Walked(
            self._points, "registry", client, ("expose", "seal", "unexpose"), RegistryError
        )


class ForkingClient(hooks.RegistryClient):
    """Starts its worker by a fork, which is fast, and can have points in it."""

    def __init__(self, points: Points, config_file: str, overrides: Any) -> None:
        super().__init__(config_file, overrides)
        self._points = points

    def _start(self) -> Any:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _be_worker(self._points, theirs.detach(), self._config_file, self._overrides)
        theirs.close()
        return hooks._Worker(Child(pid), ours)  # type: ignore[arg-type]


class Child:
    """As much of a Popen as the client wants."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, 9)

    def wait(self, timeout: float = 0) -> None:
        os.waitpid(self.pid, 0)


def _be_worker(points: Points, file: int, config_file: Any, overrides: Any) -> NoReturn:
    status = 1
    try:
        points.forked()
        _close_others(file)
        for owner, names in ((libsmbconf.Source, SOURCE), (libsmbconf.Library, LIBRARY)):
            for name in names:
                function = getattr(owner, name)
                setattr(owner, name, through(points, f"worker.{name}", function, RegistryError))
        argv = [f"--socket={file}", f"--configfile={config_file}"]
        argv += [f"--option={name}={value}" for name, value in overrides]
        status = worker.main(argv)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _close_others(kept: int) -> None:
    """What a program that is executed does not inherit: the daemon's sockets and files."""
    for file in map(int, os.listdir("/proc/self/fd")):
        if file > 2 and file != kept and not _is_record(file):
            try:
                os.close(file)
            except OSError:
                continue


def _is_record(file: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{file}").endswith("/points")
    except OSError:
        return False


def _replace(points: Points, module: Any, name: str) -> None:
    function: Callable[..., Any] = getattr(module, name)
    call = f"{module.__name__.rpartition('.')[2]}.{name}"

    def only_in_jobs(*arguments: Any, **named: Any) -> Any:
        """The loop's thread has the store, whose points are its own; the housekeeping's
        and those of questions come by at no certain time, and change nothing here."""
        thread = threading.current_thread()
        if thread is threading.main_thread() or thread.name.startswith(QUESTIONS):
            return function(*arguments, **named)
        # Two providers are at work at the same time; each counts its own.
        where = f"{points.inside}/{call}({_subject(arguments)})"
        with points.passing(where, io_error):
            return function(*arguments, **named)

    setattr(module, name, only_in_jobs)


def _subject(arguments: tuple[Any, ...]) -> str:
    """The last name among the arguments, without what differs from one run to the next."""
    names = [os.fsdecode(each) for each in arguments if isinstance(each, (str, bytes))]
    subject = os.path.basename(names[-1]) if names else ""
    for pattern, word in DIFFERENT:
        subject = re.sub(pattern, word, subject)
    return subject
