"""Mounts the directories of shares in snapshots where users reach them, for every provider.

A mount of its own makes every rename and link into a copy EXDEV, takes set-user-id bits and
devices away, and is read-only unless a requestor may still write. It is made where nobody can
enter, in a private mount, and moved to its place when it is complete: at no moment can anybody
reach one that is writable and is not to be.

Mounts outlive the daemon. The reconciler compares them with the state when it starts.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from contextlib import contextmanager, suppress
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set

from fsrvpd.core import bind_mounts
from fsrvpd.core.bind_mounts import mount_id, path_of
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.errors import FsrvpdError
from fsrvpd.exports import gates
from fsrvpd.exports.passage import CLOSED, Passage, passage
from fsrvpd.protocol.exports import COPIES, ROOT, Export, name_of
from fsrvpd.protocol.ports import Share, Snapshot
from fsrvpd.providers.os_errors import as_storage_error

log = logging.getLogger("fsrvpd.exports")

LONGEST_WAIT = 2.0  # seconds; smbd takes milliseconds, more on a busy machine
_POLL = 0.002

_PASS, _LIST = 0o711, 0o755
_STAGING = ".staging"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

# An open descriptor of a share's directory in a snapshot. Raises: StorageError.
OpenShare = Callable[[Export], int]
ShareOf = Callable[[str], Optional[Share]]  # a share's definition by its name


class Exports:
    """Thread-safe. `share_of` returns a share's definition by name. Methods raise StorageError
    and may block, but storage that does not answer blocks its own exports alone."""

    def __init__(self, open_share: OpenShare, share_of: ShareOf, root: str = ROOT) -> None:
        self._open_share = open_share
        self._share_of = share_of
        self._root = root
        self._lock = threading.Lock()
        self._is_ready = False
        # By name of a copy, the keys of the shares that have it; None before it is needed.
        self._known: Optional[Dict[str, Set[str]]] = None

    def make(self, export: Export, *, again: bool = False) -> None:
        """Mount a share's directory where users reach it, unless it is; the gates before it are
        those of the live share now. `again`: in place of what is mounted."""
        share = self._share(export.share)
        way = self._way(export, share)
        listable = share is not None and share.settings.previous_versions
        where = as_storage_error("mount the copy", export.mount_point)
        with closing_fd(self._open_share(export)) as source, where:
            flags = _flags(source, export)  # before the lock: storage may not answer
            with self._lock:
                self._make_root()
                with (
                    self._key(export.key) as key,
                    closing_fd(_open_copies(key, way, export.name)) as copies,
                ):
                    self._note(export.key, export.name)
                    os.fchmod(copies, _LIST if listable else _PASS)
                    self._mount(source, copies, export, flags, again)

    def end_writing(self, exports: Sequence[Export]) -> None:
        """Make their mounts read-only, for `make` to replace. smbd closes the files of clients
        only when it comes to read that they are disconnected; this waits for it. Who still has a
        file open for writing after `LONGEST_WAIT` is no client."""
        deadline = time.monotonic() + LONGEST_WAIT
        for export in exports:
            with as_storage_error("make the copy read-only", export.mount_point):
                while self._is_written_to(export):
                    if time.monotonic() > deadline:
                        log.warning(
                            "%s: a process of the server has a file open for writing, and can go"
                            " on writing to it; `fuser -vm` may name it",
                            export.mount_point,
                        )
                        break
                    time.sleep(_POLL)

    def remove(self, export: Export) -> None:
        """Unmount it. Nothing happens when it is not mounted. Its files are no longer open when
        this returns, unless a process of a user has opened them."""
        self._remove(export.key, export.name)

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        """`remove` for every share that has it."""
        name = name_of(snapshot)
        with self._lock:
            keys = self._keys_with(name)
        for key in keys:
            self._remove(key, name)

    def remove_unused(self, snapshot: Snapshot) -> bool:
        """`remove_snapshot`, unless somebody has a file or directory of it open. Returns whether
        it is removed; if not, some of several shares may have lost their mount."""
        name = name_of(snapshot)
        with self._lock:
            keys = self._keys_with(name)
        return all(self._remove(key, name, if_used=False) for key in keys)

    def mounted(self) -> List[str]:
        """The path of every mount, as `Export.mount_point`. Mount points that a crash has left
        without a mount are removed."""
        found = []
        for key in self._keys():
            directory = f"{self._root}/{key}/{COPIES}"
            with suppress(FileNotFoundError), self._lock:
                with closing_fd(os.open(directory, _DIRECTORY)) as copies:
                    names = sorted(os.listdir(copies))
                    used = [name for name in names if _is_mounted(name, copies)]
                    for name in set(names) - set(used):
                        with suppress(FileNotFoundError):  # `remove` may be quicker
                            os.rmdir(name, dir_fd=copies)
                found += [f"{directory}/{name}" for name in used]
        return found

    def remove_mount(self, mount_point: str) -> None:
        """`remove`, for one of `mounted`."""
        key, _, name = mount_point[len(self._root) + 1 :].split("/")
        self._remove(key, name)

    def _share(self, name: str) -> Optional[Share]:
        try:
            return self._share_of(name)
        except FsrvpdError as error:
            log.debug("share %s: %s", name, error)
            return None

    def _way(self, export: Export, share: Optional[Share]) -> Passage:
        """The way through the share's path if that leads to the directory, else the way to the
        directory itself."""
        why = "nobody knows its directory"
        for path in (share.path if share else "", export.directory):
            if not path or not export.directory:
                continue
            try:
                found = passage(path)
            except OSError as error:
                why = str(error)
                continue
            if found.directory != export.directory:
                continue
            if _is_original(found, export):
                return found
            is_known = export.identity is not None or export.handle
            why = "another directory has its place" if is_known else "it may be another one by now"
        log.warning(
            "share %s: its shadow copies are closed to everybody but root, because it is unknown"
            " who may enter its directory %s: %s",
            export.share,
            export.directory,
            why,
        )
        return Passage("", "", (CLOSED,))

    def _mount(self, source: int, copies: int, export: Export, flags: int, again: bool) -> None:
        name = export.name
        is_there = not _make_place(name, copies) and _is_mounted(name, copies)
        if is_there and not again and _is_writable(name, copies) == export.writable:
            return
        staged = f"{self._root}/{_STAGING}/mount"
        bind_mounts.bind(path_of(source), staged)
        try:
            bind_mounts.restrict(staged, flags)
            bind_mounts.make_private(staged)
            while is_there:
                bind_mounts.detach(f"{path_of(copies)}/{name}")
                is_there = _is_mounted(name, copies)
            bind_mounts.move(staged, f"{path_of(copies)}/{name}")
        except BaseException:
            bind_mounts.detach(staged)
            raise

    def _is_written_to(self, export: Export) -> bool:
        """Make the mount read-only, unless somebody has a file open for writing."""
        try:
            with self._lock:  # the link leads nowhere while gates are exchanged
                copies = os.open(f"{self._root}/{export.key}/{COPIES}", _DIRECTORY)
        except FileNotFoundError:
            return False
        with closing_fd(copies):
            if not _is_mounted(export.name, copies):
                return False
            with closing_fd(os.open(export.name, _PLACE, dir_fd=copies)) as mount:
                flags = _flags(mount, export) | bind_mounts.READ_ONLY
            try:
                bind_mounts.restrict(f"{path_of(copies)}/{export.name}", flags)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return True
        return False

    def _make_root(self) -> None:
        """The directory of all exports, and the private mount in which they are made; what a
        crash has left in it is removed."""
        if self._is_ready:
            return
        for directory in (os.path.dirname(self._root), self._root):
            _make_directory(directory, _PASS)
        staging = f"{self._root}/{_STAGING}"
        _make_directory(staging, 0o700)
        if bind_mounts.is_mount_point(staging):
            bind_mounts.detach(staging)
        bind_mounts.bind(staging, staging)
        bind_mounts.make_private(staging)
        _make_directory(f"{staging}/mount", 0o700)
        self._is_ready = True

    @contextmanager
    def _key(self, key: str) -> Iterator[int]:
        path = f"{self._root}/{key}"
        try:
            opened = os.open(path, DIRECTORY_FLAGS)
        except FileNotFoundError:
            os.mkdir(path, 0o700)
            opened = os.open(path, DIRECTORY_FLAGS)
        with closing_fd(opened) as fd:
            if stat.S_IMODE(os.fstat(fd).st_mode) != _PASS:  # new, or a crash has left it
                os.fchmod(fd, _PASS)
            yield fd

    def _keys(self) -> List[str]:
        try:
            return [name for name in sorted(os.listdir(self._root)) if name != _STAGING]
        except FileNotFoundError:
            return []

    def _keys_with(self, name: str) -> List[str]:
        """All shares are asked once: each deletion would ask every one of them. Only this object
        makes copies afterwards. The lock is held: links lead nowhere while gates are exchanged."""
        if self._known is None:
            known: Dict[str, Set[str]] = {}
            for key in self._keys():
                with suppress(FileNotFoundError):
                    for each in os.listdir(f"{self._root}/{key}/{COPIES}"):
                        known.setdefault(each, set()).add(key)
            self._known = known
        return sorted(self._known.get(name, ()))

    def _note(self, key: str, name: str) -> None:
        """That a share has a copy, or may have it. The lock is held."""
        if self._known is not None:
            self._known.setdefault(name, set()).add(key)

    def _note_again(self, key: str, name: str) -> None:
        with self._lock:
            self._note(key, name)

    def _forget(self, key: str, name: str) -> None:
        if self._known is not None:
            keys = self._known.get(name, set())
            keys.discard(key)
            if not keys:
                self._known.pop(name, None)

    def _remove(self, key: str, name: str, *, if_used: bool = True) -> bool:
        """Returns False when it is in use, and `if_used` is False."""
        path = f"{self._root}/{key}/{COPIES}"
        with as_storage_error("unmount the copy", f"{path}/{name}"):
            try:
                with self._lock:  # the link leads nowhere while gates are exchanged
                    self._forget(key, name)  # before: `make` notes it if it is quicker
                    copies = os.open(path, _DIRECTORY)
            except FileNotFoundError:
                return True
            except OSError:  # it is still mounted
                self._note_again(key, name)
                raise
            try:
                with closing_fd(copies):
                    while _is_busy(name, copies):
                        place = f"{path_of(copies)}/{name}"
                        if if_used:
                            bind_mounts.detach(place)
                        else:
                            bind_mounts.unmount(place)
            except OSError as error:
                self._note_again(key, name)
                if if_used or error.errno != errno.EBUSY:
                    raise
                return False
        return True


def _is_original(found: Passage, export: Export) -> bool:
    """Whether a directory is the one of which the snapshot was taken: who may rename a directory
    above it could have put another one there, to which everybody may go."""
    if export.handle and export.handle != found.handle:
        return False
    if export.identity is None:
        return bool(export.handle)
    device, inode = export.identity
    if not inode:
        return found.identity.partition(":")[0] == str(device)
    return found.identity == f"{device}:{inode}"


def _flags(source: int, export: Export) -> int:
    flags = bind_mounts.NO_SETUID | bind_mounts.NO_DEVICES
    if os.fstatvfs(source).f_flag & os.ST_NOEXEC:
        flags |= bind_mounts.NO_EXECUTION
    return flags if export.writable else flags | bind_mounts.READ_ONLY


def _open_copies(key: int, way: Passage, name: str) -> int:
    return gates.open_copies(key, way.identity, way.gates, name)


def _make_directory(path: str, mode: int) -> None:
    """It gets its mode although it exists: a crash, or a umask, may have left another one."""
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    os.chmod(path, mode)


def _make_place(name: str, copies: int) -> bool:
    """Whether it is new."""
    try:
        os.mkdir(name, 0o700, dir_fd=copies)
    except FileExistsError:
        return False
    return True


def _is_busy(name: str, copies: int) -> bool:
    """Remove a mount point, unless something is mounted there: the kernel says so at once."""
    try:
        os.rmdir(name, dir_fd=copies)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return True
    return False


def _is_mounted(name: str, directory: int) -> bool:
    try:
        fd = os.open(name, _PLACE, dir_fd=directory)
    except FileNotFoundError:
        return False
    with closing_fd(fd):
        return mount_id(fd) != mount_id(directory)


def _is_writable(name: str, directory: int) -> bool:
    fd = os.open(name, _PLACE, dir_fd=directory)
    with closing_fd(fd):
        return not bind_mounts.is_read_only(fd)
