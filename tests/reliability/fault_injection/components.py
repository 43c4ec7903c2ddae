"""Puts fault points before everything durable.

`daemon.components.Components` is wrapped for the ports. Below them are the system calls of the
providers and the registry worker's calls into Samba's library.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import socket
import sys
import threading
from typing import Any, Callable, NoReturn, Optional

from fsrvpd.core import bind_mounts, btrfs, clones, files, handles
from fsrvpd.core.live_mounts import LiveMounts
from fsrvpd.daemon.components import Components
from fsrvpd.errors import RegistryError, StorageError, StoreError
from fsrvpd.exports.mounts import OpenShare
from fsrvpd.protocol.ports import Share
from fsrvpd.providers.selection import Selection
from samba_hooks.registry import client as hooks
from samba_hooks.registry.worker import __main__ as worker
from samba_hooks.registry.worker import config_source, libsmbconf
from samba_hooks.worker import process
from tests.reliability.fault_injection.fault_points import FaultPoints, Faulty, through

CALLS = {
    bind_mounts: ("bind", "restrict", "make_private", "move", "detach"),
    handles: ("exchange",),
    btrfs: ("create_subvolume", "create_snapshot", "destroy_subvolume", "set_read_only"),
    clones.Listing: ("clone_plain_files",),
    files: ("sync_file_system",),
    os: ("symlink", "unlink", "mkdir", "rmdir", "rename", "link", "fchmod", "fchown"),
}
DIFFERENT = (
    (r"\{[-0-9A-F]{36}\}", "ID"),
    (r"\d{4}(\.\d\d){2}-\d\d(\.\d\d){2}", "LABEL"),
    (r"[0-9a-f]{32}", "KEY"),
)
QUESTIONS = ("housekeeping", "lookup")  # prefixes of these threads' names
SOURCE = ("begin", "create", "set", "delete", "commit")
LIBRARY = ("copy_descriptor", "delete_descriptor")


def io_error(text: str) -> OSError:
    return OSError(errno.EIO, text)


def storage_error(text: str) -> StorageError:
    return StorageError("the volume", text, error_number=errno.EIO)


class FaultyComponents(Components):
    def __init__(self, fault_points: FaultPoints) -> None:
        self._fault_points = fault_points
        for module, names in CALLS.items():
            for name in names:
                _replace(fault_points, module, name)

    def store(self, path: str) -> Any:
        """The point is the transaction: whoever submits it is told within `submit`."""
        store = super().store(path)
        faulty = through(self._fault_points, "store.apply", store.apply, StoreError)
        store.apply = faulty
        return store

    def selection(self, mounts: LiveMounts, registry: Any, folder: str) -> Selection:
        methods = ("plan", "prepare", "create", "seal", "delete")
        providers = super().selection(mounts, registry, folder).all()
        return Selection(
            [
                Faulty(self._fault_points, each.name, each, methods, storage_error)
                for each in providers
            ]  # type: ignore[misc]
        )

    def exports(self, open_share: OpenShare, share_of: Callable[[str], Optional[Share]]) -> Any:
        return Faulty(
            self._fault_points,
            "exports",
            super().exports(open_share, share_of),
            ("make", "end_writing", "remove", "remove_snapshot"),
            storage_error,
        )

    def registry(self, arguments: argparse.Namespace) -> Any:
        overrides = [tuple(text.split("=", 1)) for text in arguments.option]
        client = ForkingClient(self._fault_points, arguments.configfile, overrides)
        return Faulty(
            self._fault_points,
            "registry",
            client,
            ("expose", "seal", "disconnect", "unexpose"),
            RegistryError,
        )


class ForkingClient(hooks.RegistryClient):
    """Forks its worker, which is fast and allows fault points in it."""

    def __init__(self, fault_points: FaultPoints, config_file: str, overrides: Any) -> None:
        super().__init__(config_file, overrides)

        def start() -> process.Child:
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                ours.close()
                _be_worker(fault_points, theirs.detach(), config_file, overrides)
            theirs.close()
            return process.Child(Child(pid), ours)  # type: ignore[arg-type]

        self._worker._start = start  # type: ignore[method-assign]


class Child:
    """The part of Popen that the client uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, 9)

    def wait(self, timeout: float = 0) -> None:
        os.waitpid(self.pid, 0)


def _be_worker(fault_points: FaultPoints, file: int, config_file: Any, overrides: Any) -> NoReturn:
    status = 1
    try:
        fault_points.forked()
        _close_others(file)
        for owner, names in ((config_source.ConfigSource, SOURCE), (libsmbconf.Library, LIBRARY)):
            for name in names:
                function = getattr(owner, name)
                setattr(
                    owner, name, through(fault_points, f"worker.{name}", function, RegistryError)
                )
        argv = [f"--socket={file}", f"--configfile={config_file}"]
        argv += [f"--option={name}={value}" for name, value in overrides]
        status = worker.main(argv)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _close_others(kept: int) -> None:
    """Close the daemon's sockets and files, which an executed program would not inherit."""
    for file in map(int, os.listdir("/proc/self/fd")):
        if file > 2 and file != kept and not _is_record(file):
            try:
                os.close(file)
            except OSError:
                continue


def _is_record(file: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{file}").endswith("/fault_points")
    except OSError:
        return False


def _replace(fault_points: FaultPoints, module: Any, name: str) -> None:
    function: Callable[..., Any] = getattr(module, name)
    call = f"{module.__name__.rpartition('.')[2]}.{name}"

    def only_in_jobs(*arguments: Any, **named: Any) -> Any:
        """Count calls of job threads only.

        The event loop's thread calls the store, which has its own points. The threads of
        reconciliation and lookups run at no fixed time, and change nothing here.
        """
        thread = threading.current_thread()
        if thread is threading.main_thread() or thread.name.startswith(QUESTIONS):
            return function(*arguments, **named)
        # Two providers work at the same time; each counts its own calls.
        where = f"{fault_points.inside}/{call}({_subject(arguments)})"
        with fault_points.passing(where, io_error):
            return function(*arguments, **named)

    setattr(module, name, only_in_jobs)


def _subject(arguments: tuple[Any, ...]) -> str:
    """Return the last name among the arguments, without the parts that differ between runs."""
    names = [os.fsdecode(each) for each in arguments if isinstance(each, (str, bytes))]
    subject = os.path.basename(names[-1]) if names else ""
    for pattern, word in DIFFERENT:
        subject = re.sub(pattern, word, subject)
    return subject
