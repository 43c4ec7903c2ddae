"""`Lab`: one set of namespaces with a directory of its own, and commands run in it."""

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

from tests.lab import leftovers, volumes

Argument = Union[str, Path]

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
HOLDER = Path(__file__).with_name("holder.py")

# The shell outlives the namespaces by one command: it removes the directory even when
# the creator was killed and can do nothing itself.
HOLD = (
    "directory=$1; shift; unshare --mount --net --pid --fork --kill-child --mount-proc "
    '"$@"; exec rm -rf --one-file-system -- "$directory"'
)
# How many times as long everything may take, on a machine that is known to be slow.
SLOWNESS = float(os.environ.get("FSRVPD_TEST_SLOWNESS", "1"))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


class LabError(Exception):
    """The lab itself could not do what a test needs; the text says what and why."""


class CommandFailed(LabError):
    """A command ended with another exit status than 0."""

    def __init__(self, done: subprocess.CompletedProcess[str], context: str = "") -> None:
        super().__init__(describe(done) + context)
        self.done = done


def prefix(pid: int) -> str:
    """With what the paths of all labs of a process begin.

    UNIX socket paths end at 107 bytes, and Samba appends a lot: short, and not in $TMPDIR.
    """
    return f"/tmp/fsrvpd-lab.{pid}."


def describe(done: subprocess.CompletedProcess[str]) -> str:
    """A finished command as a person wants to read it in a failure."""
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
    """A process in the lab, of which `pid` is the id as seen from the machine."""

    def __init__(self, entrance: subprocess.Popen[bytes], argv: Sequence[str]) -> None:
        self.argv = argv
        self._entrance = entrance
        self.pid = only_child(entrance.pid)

    def poll(self) -> Optional[int]:
        """The exit status, or None while it runs."""
        return self._entrance.poll()

    def signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 20.0) -> int:
        """Raises: subprocess.TimeoutExpired."""
        return self._entrance.wait(timeout * SLOWNESS)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()


def only_child(pid: int) -> int:
    """The id of the one child of a process, once it has one."""
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


def enter_network(pid: int) -> None:
    """Move the calling thread into the network namespace of a process."""
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")


class Lab:
    """Its own mounts, network (lo alone), processes; everything ends with `close()` or with us.

    `tree` is a root directory for it instead of the machine's, which it does not change.
    """

    def __init__(self, tree: Optional[Path] = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=prefix(os.getpid())))
        self.directory.chmod(0o755)  # unprivileged SMB users walk through it to the volumes
        self._entrances: list[Union[subprocess.Popen[bytes], subprocess.Popen[str]]] = []
        holder: list[Argument] = [sys.executable, HOLDER, self.directory]
        holder += [] if tree is None else [tree]
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", HOLD, "fsrvpd-lab", self.directory, *holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to handle, not the lab's
        )
        assert self._shell.stdout is not None
        if self._shell.stdout.readline() != b"ready\n":
            self._let_go()
            raise LabError("no namespaces: this needs root, and unshare with mounts allowed")
        self._init = only_child(only_child(self._shell.pid))
        self._namespace = leftovers.pid_namespace(self._init)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def run(
        self,
        argv: Sequence[Argument],
        *,
        input: Optional[str] = None,
        timeout: float = 60.0,
        check: bool = True,
        environment: Optional[Mapping[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the lab to its end. Raises: CommandFailed, LabError on timeout."""
        command = [str(word) for word in argv]
        with subprocess.Popen(
            [*self._entrance(), *command],
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**ENVIRONMENT, **(environment or {})},
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
        """Start a command in the lab; stdout and stderr are appended to `output`."""
        command = [str(word) for word in argv]
        with open(output or os.devnull, "ab") as log:
            entrance = subprocess.Popen(
                [*self._entrance(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **(environment or {})},
                start_new_session=True,
            )
        self._entrances.append(entrance)
        return LabProcess(entrance, command)

    def converse(self, argv: Sequence[Argument]) -> subprocess.Popen[str]:
        """Start a command in the lab that is talked to, line by line. It ends with the lab,
        or by itself when its standard input is closed."""
        entrance = subprocess.Popen(
            [*self._entrance(), *map(str, argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self._entrances.append(entrance)
        return entrance

    def volume(
        self, kind: str, name: str, size: int = 512 << 20, options: Sequence[str] = ()
    ) -> Path:
        """Make a file system in a sparse file and mount it. Returns its mount point.

        `kind` is btrfs, xfs or ext4; `size` in bytes (XFS wants 300 MB at least); `options`
        are for mkfs.
        """
        return volumes.make(self, kind, name, size, options)

    def seen(self, path: Path) -> Path:
        """A path of the lab as the machine can open it while the lab lives."""
        return Path(f"/proc/{self._init}/root{path}")

    def processes(self) -> dict[int, list[str]]:
        """The argv of every process in the lab by its id in there; the holder's is 1."""
        found = {}
        for process in self.seen(Path("/proc")).glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                argv = (process / "cmdline").read_text().split("\0")
                found[int(process.name)] = argv[:-1] or [""]
        return found

    def network(self) -> ThreadPoolExecutor:
        """A thread that lives in the lab's network: what it connects to is in the lab."""
        return ThreadPoolExecutor(1, initializer=enter_network, initargs=(self._init,))

    def unmount(self, mount_point: Path) -> None:
        self.run(["umount", mount_point])

    def close(self) -> None:
        """End everything in the lab. Raises: LabError when something of it is left."""
        self._let_go()
        wait_until(
            f"the end of everything in {self.directory}",
            lambda: not leftovers.of_lab(self.directory, self._namespace),
        )

    def _let_go(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.stdout.close()
        self._shell.wait(30 * SLOWNESS)
        for entrance in self._entrances:
            entrance.wait(30 * SLOWNESS)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _entrance(self) -> list[str]:
        """nsenter forks into the process namespace. It must never be killed itself: what it
        started would be left to the machine's init, which may be slow to reap."""
        return ["nsenter", "-t", str(self._init), "-m", "-n", "-p", "-r", "-w", "--"]
