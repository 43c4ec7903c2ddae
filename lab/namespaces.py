"""`Lab`: a set of namespaces with a private directory, in which commands are run."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Callable, Mapping, Optional, Sequence, Type, Union

from lab import leftovers, volumes

Argument = Union[str, Path]
Popen = Union[subprocess.Popen[bytes], subprocess.Popen[str]]

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
HOLDER = Path(__file__).with_name("holder.py")

# The shell runs one command after the end of the namespaces: it removes the directory even if
# the creator was killed.
HOLD = (
    "directory=$1; shift; unshare --mount --net --pid --fork --kill-child --mount-proc "
    '"$@"; exec rm -rf --one-file-system -- "$directory"'
)
# Factor for all time limits, for a machine that is known to be slow.
SLOWNESS = float(os.environ.get("FSRVPD_TEST_SLOWNESS", "1"))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}
# With these set, coverage.py measures what runs in labs as well: `make coverage`.
MEASURED = ("COVERAGE_PROCESS_START", "COVERAGE_FILE", "PYTEST_CURRENT_TEST")


class LabError(Exception):
    """The lab itself failed; the text says what it could not do and why."""


class CommandFailed(LabError):
    """A command ended with an exit status other than 0."""

    def __init__(self, done: subprocess.CompletedProcess[str], context: str = "") -> None:
        super().__init__(describe(done) + context)
        self.done = done


def prefix(pid: int) -> str:
    """Return the prefix of the paths of all labs of a process.

    It is short and not in $TMPDIR: paths of UNIX sockets are limited to 107 bytes, and Samba
    appends a lot.
    """
    return f"/tmp/fsrvpd-lab.{pid}."


def describe(done: subprocess.CompletedProcess[str]) -> str:
    """Describe a finished command for the text of a failure."""
    argv = " ".join(str(word) for word in done.args)
    return (
        f"{argv}\nexit status {done.returncode}\n"
        f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}\n"
    )


def wait_until(what: str, condition: Callable[[], bool], timeout: float = 20.0) -> None:
    """Poll until `condition` holds. Raises: LabError after `timeout` seconds."""
    deadline = time.monotonic() + timeout * SLOWNESS
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.02)


class LabProcess:
    """A process in the lab. `pid` is its id outside the lab."""

    def __init__(self, entrance: subprocess.Popen[bytes], argv: Sequence[str]) -> None:
        self.argv = argv
        self._entrance = entrance
        self.pid = only_child(entrance.pid)

    def poll(self) -> Optional[int]:
        """Return the exit status, or None while it runs."""
        return self._entrance.poll()

    def signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def resume(self) -> None:
        """After SIGSTOP: nsenter stops with its child, and goes on before it."""
        os.kill(self._entrance.pid, signal.SIGCONT)

    def wait(self, timeout: float = 20.0) -> int:
        """Return the exit status. Raises: subprocess.TimeoutExpired."""
        return self._entrance.wait(timeout * SLOWNESS)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()


def only_child(pid: int) -> int:
    """Wait for the only child of a process. Returns the child's id."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found: list[int] = []

    def born() -> bool:
        try:
            found[:] = [int(word) for word in children.read_text().split()]
        except FileNotFoundError:
            raise LabError(f"process {pid} ended before it had a child") from None
        return bool(found)

    wait_until(f"a child of process {pid}", born)
    return found[0]


def _environment(more: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    measured = {name: os.environ[name] for name in MEASURED if name in os.environ}
    return {**ENVIRONMENT, **(measured if MEASURED[0] in measured else {}), **(more or {})}


def enter_network(pid: int) -> None:
    """Move the calling thread into the network namespace of a process."""
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")


class Namespaces:
    """Namespaces of a process, in which commands are run. `_init` is its id outside of them."""

    KINDS: Sequence[str] = ("-m", "-n", "-p")  # as options of nsenter
    directory: Path
    _init: int

    def __init__(self) -> None:
        self._entrances: list[Popen] = []

    def run(
        self,
        argv: Sequence[Argument],
        *,
        input: Optional[str] = None,
        timeout: float = 60.0,
        check: bool = True,
        environment: Optional[Mapping[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the lab to its end. Raises: CommandFailed; LabError on timeout."""
        command = [str(word) for word in argv]
        with subprocess.Popen(
            [*self._entrance(), *command],
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(environment),
            start_new_session=True,
        ) as entrance:
            try:
                stdout, stderr = entrance.communicate(input, timeout * SLOWNESS)
            except subprocess.TimeoutExpired:
                os.kill(only_child(entrance.pid), signal.SIGKILL)
                said = "".join(entrance.communicate())
                text = f"{' '.join(command)}: no end after {timeout:g} s\n{said}"
                raise LabError(text) from None
        done = subprocess.CompletedProcess(command, entrance.returncode, stdout, stderr)
        if check and done.returncode != 0:
            raise CommandFailed(done)
        return done

    def popen(
        self,
        argv: Sequence[Argument],
        *,
        output: Optional[Path] = None,
        environment: Optional[Mapping[str, str]] = None,
    ) -> LabProcess:
        """Start a command in the lab. Its stdout and stderr are appended to `output`."""
        command = [str(word) for word in argv]
        with open(output or os.devnull, "ab") as log:
            entrance = subprocess.Popen(
                [*self._entrance(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(environment),
                start_new_session=True,
            )
        self._entrances.append(entrance)
        return LabProcess(entrance, command)

    def converse(self, argv: Sequence[Argument]) -> subprocess.Popen[str]:
        """Start a command in the lab with pipes, to exchange lines with it.

        It ends with the lab, or by itself when its standard input is closed.
        """
        entrance = subprocess.Popen(
            [*self._entrance(), *map(str, argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=_environment(),
            start_new_session=True,
        )
        self._entrances.append(entrance)
        return entrance

    def seen(self, path: Path) -> Path:
        """Return the path under which the machine can open a path of the lab while it exists."""
        return Path(f"/proc/{self._init}/root{path}")

    @property
    def init(self) -> int:
        """The id, outside of the namespaces, of the process that keeps them."""
        return self._init

    def processes(self) -> dict[int, list[str]]:
        """Return the argv of every process by its id in the lab. The holder's id is 1."""
        found = {}
        for process in self.seen(Path("/proc")).glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                argv = (process / "cmdline").read_text().split("\0")
                found[int(process.name)] = argv[:-1] or [""]
        return found

    def network(self) -> ThreadPoolExecutor:
        """Return an executor whose thread is in the lab's network."""
        return ThreadPoolExecutor(1, initializer=enter_network, initargs=(self._init,))

    def _wait_for_the_end(self, holder: Popen) -> None:
        """Of the namespaces, and of what was started in them. They end when all that was in them is
        reaped, which an nsenter that has stopped with its child does not do. Raises: LabError."""

        def ended() -> bool:
            for entrance in self._entrances:
                entrance.send_signal(signal.SIGCONT)  # it may stop a moment later
            return holder.poll() is not None

        wait_until(f"the end of the namespaces of {self.directory}", ended, timeout=30)
        for entrance in self._entrances:
            entrance.wait(30 * SLOWNESS)

    def _entrance(self) -> list[str]:
        """Return the nsenter command, which forks into the process namespace.

        nsenter itself must never be killed: its child would be left to the machine's init,
        which may reap it late.
        """
        return ["nsenter", "-t", str(self._init), *self.KINDS, "-r", "-w", "--"]


class Lab(Namespaces):
    """Private mounts, network (only lo) and processes, until `close()` or this process's end.

    `tree` is a root directory to use instead of the machine's; the lab does not change it.
    """

    def __init__(self, tree: Optional[Path] = None) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix=prefix(os.getpid())))
        self.directory.chmod(0o755)  # unprivileged SMB users pass through it to the volumes
        holder: list[Argument] = [sys.executable, HOLDER, self.directory]
        holder += [] if tree is None else [tree]
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", HOLD, "fsrvpd-lab", self.directory, *holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # the creator handles Ctrl-C, not the lab
        )
        assert self._shell.stdout is not None
        if self._shell.stdout.readline() != b"ready\n":
            self._let_go()
            raise LabError("no namespaces: this needs root, and unshare with mounts allowed")
        self._init = only_child(only_child(self._shell.pid))
        self._namespace = leftovers.pid_namespace(self._init)
        # While this is open no other lab's namespace gets the number, and with it the name.
        self._number = os.open(f"/proc/{self._init}/ns/pid", os.O_RDONLY)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def volume(
        self, kind: str, name: str, size: int = 512 << 20, options: Sequence[str] = ()
    ) -> Path:
        """Make a file system in a sparse file and mount it. Returns its mount point.

        `kind` is btrfs, xfs or ext4; `size` is in bytes (XFS needs at least 300 MB); `options`
        are passed to mkfs.
        """
        return volumes.make(self, kind, name, size, options)

    def unmount(self, mount_point: Path) -> None:
        self.run(["umount", mount_point])

    def close(self) -> None:
        """End everything in the lab. Raises: LabError if something is left."""
        if MEASURED[0] in os.environ:  # killed processes write no coverage data
            self.run(["sh", "-c", "kill -TERM -1; sleep 1"], check=False)
        self._let_go()
        what = f"the end of everything in {self.directory}"
        try:  # the kernel unmounts in the background, and writes back dirty pages
            wait_until(what, lambda: not self._left(), timeout=120)
        except LabError as error:
            raise LabError(f"{error}: {', '.join(self._left())}") from None
        finally:
            os.close(self._number)

    def _left(self) -> list[str]:
        return leftovers.of_lab(self.directory, self._namespace)

    def _let_go(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._wait_for_the_end(self._shell)
        shutil.rmtree(self.directory, ignore_errors=True)
