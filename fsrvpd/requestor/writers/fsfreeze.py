"""The writer `fsfreeze`: mounted file systems of this host, as fsfreeze(8) freezes them.

Whoever writes to a frozen file system waits, and cannot be killed: never the root's, and never the
one of our own state.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import threading
from pathlib import Path
from typing import NamedTuple, NoReturn, Optional, Sequence

from fsrvpd.requestor.errors import LEFT_SOMETHING
from fsrvpd.requestor.state.files import default_directory
from fsrvpd.requestor.writers.ports import SharedTree, ThawRecipe, WriterFailed

KIND = "fsfreeze"
_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878  # of linux/fs.h
_LONGEST_FREEZE = 60.0  # s: what is dirty is written before; a freeze that was given up goes on
_MOUNT_ID = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)
_EXAMPLE = "name a mount point of its own, as `findmnt` lists them"


class Mounted(NamedTuple):
    path: str
    device: str  # major:minor of the file system, the same for all its mounts and subvolumes


class FsfreezeWriter:
    """A `Writer` of one or several mount points."""

    kind = KIND

    def __init__(
        self,
        name: str,
        mountpoints: Sequence[str],
        *,
        priority: int = 0,
        required: bool = True,
        timeout: float = 10.0,
        never: Optional[Sequence[Path]] = None,
    ) -> None:
        """`never`: directories whose file systems are not frozen; the root and the state's."""
        self.name = name
        self.priority = priority
        self.required = required
        self.timeout = timeout
        self._paths = mountpoints
        self._never = (Path("/"), _state()) if never is None else never
        self._mounted: Sequence[Mounted] = ()
        self._frozen: list[Mounted] = []
        self._is_thawed = False
        self._lost: Sequence[str] = ()  # paths that somebody else has thawed
        self._freezing = threading.Event()  # not set while one is being frozen
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Raises: WriterFailed for what must not be frozen."""
        self._mounted = [self._look_at(path) for path in self._paths]
        if os.geteuid() != 0:
            raise WriterFailed(self.name, "only root may freeze file systems", "run it as root")

    def freeze(self) -> None:
        self._is_thawed, self._lost = False, ()
        self._freezing.clear()
        try:
            for mounted in self._mounted:
                self._freeze(mounted)
        finally:
            self._freezing.set()

    def thaw(self) -> None:
        """Also while `freeze` runs in another thread: what it still freezes is thawed at once."""
        with self._lock:
            self._is_thawed = True
            frozen, self._frozen = self._frozen, []
        self._lost = _thaw_all(self.name, frozen) or self._lost
        if not self._freezing.wait(_LONGEST_FREEZE):
            cause = f"the kernel has not ended freezing after {_LONGEST_FREEZE:g} s"
            raise WriterFailed(self.name, cause, "look at `dmesg`", exit_status=LEFT_SOMETHING)

    def complete(self, copies: Sequence[SharedTree]) -> None:
        """A file system that was frozen needs nothing more. Raises: WriterFailed for one that
        somebody else has thawed."""
        if self._lost:
            cause = f"{self._lost[0]} was thawed before the copies were made, or meanwhile"
            raise WriterFailed(self.name, cause, "look what thaws it")

    def thaw_recipe(self) -> Optional[ThawRecipe]:
        mounted = [each._asdict() for each in self._mounted]
        return ThawRecipe(self.kind, self.name, {"mounted": mounted})

    def close(self) -> None:
        """Nothing is open."""

    def _look_at(self, path: str) -> Mounted:
        try:
            with _Directory(path) as directory, _Directory(os.path.join(path, "..")) as parent:
                if directory.mount == parent.mount and not _is_root(path):
                    raise WriterFailed(self.name, f"{path} is not a mount point", _EXAMPLE)
                mounted = Mounted(os.path.realpath(path), directory.device)
        except OSError as error:
            raise WriterFailed(self.name, f"{path}: {error.strerror}", _EXAMPLE) from error
        for each in self._never:
            if mounted.device == device_of(each):
                cause = f"{path} is the file system of {each}: this program would hang with it"
                raise WriterFailed(self.name, cause, _EXAMPLE)
        return mounted

    def _freeze(self, mounted: Mounted) -> None:
        with self._lock:
            if self._is_thawed:
                raise WriterFailed(self.name, "it was to be thawed before all was frozen")
        try:
            with _Directory(mounted.path) as directory:
                if directory.device != mounted.device:
                    raise WriterFailed(self.name, f"{mounted.path} was mounted anew meanwhile")
                fcntl.ioctl(directory.descriptor, _FIFREEZE, 0)
        except OSError as error:
            self._refused(mounted.path, error)
        with self._lock:
            if not self._is_thawed:
                self._frozen.append(mounted)
                return
        _thaw_all(self.name, [mounted])

    def _refused(self, path: str, error: OSError) -> NoReturn:
        causes = {
            errno.EBUSY: "somebody else has frozen it",
            errno.EOPNOTSUPP: "its file system cannot be frozen",
        }
        cause = causes.get(error.errno or 0) or os.strerror(error.errno or 0)
        raise WriterFailed(self.name, f"{path}: {cause}", "try `fsfreeze -f` yourself") from error


def thaw(recipe: ThawRecipe) -> None:
    """What is not frozen is no error. Raises: WriterFailed."""
    mounted = recipe.values["mounted"]
    _thaw_all(recipe.writer, [Mounted(fields["path"], fields["device"]) for fields in mounted])


def _thaw_all(writer: str, frozen: Sequence[Mounted]) -> Sequence[str]:
    """All of them, the last one first. Returns the paths of those that were not frozen. Raises:
    WriterFailed for the first failure."""
    errors, others = [], []
    for mounted in reversed(frozen):
        try:
            if not _thaw(mounted):
                others.append(mounted.path)
        except OSError as error:
            cause = f"{mounted.path} is not thawed: {error.strerror}"
            next_step = _unfreeze(mounted)
            errors.append(WriterFailed(writer, cause, next_step, exit_status=LEFT_SOMETHING))
    if errors:
        raise errors[0]
    return others


def _thaw(mounted: Mounted) -> bool:
    """What somebody else has mounted there instead stays as it is. Returns whether it was frozen.
    Raises: OSError."""
    try:
        with _Directory(mounted.path) as directory:
            if directory.device == mounted.device:
                fcntl.ioctl(directory.descriptor, _FITHAW, 0)
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EINVAL:  # it is not frozen
            raise
    return False


def _unfreeze(mounted: Mounted) -> str:
    return f"type fsfreeze -u {shlex.quote(mounted.path)}"


def device_of(path: Path) -> Optional[str]:
    """The file system of the path, or of the nearest directory above it that is there."""
    for each in (path, *path.parents):
        try:
            with _Directory(str(each)) as directory:
                return directory.device
        except FileNotFoundError:
            continue
    return None


class _Directory:
    """An open directory; nobody can exchange what is mounted there while it is in use."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> _Directory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    @property
    def mount(self) -> str:
        """The kernel's number of the mount."""
        found = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{self.descriptor}").read_text())
        return found[1] if found else ""

    @property
    def device(self) -> str:
        """Of the file system: st_dev is another one for each subvolume of btrfs."""
        mount = self.mount
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            number, _, device, _ = line.split(" ", 3)
            if number == mount:
                return device
        raise OSError(errno.ESTALE, "its mount is in no list of mounts of this process")


def _is_root(path: str) -> bool:
    return os.path.realpath(path) == "/"


def _state() -> Path:
    return default_directory(os.environ, os.geteuid())
