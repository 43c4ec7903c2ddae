"""Clones the files that the C core leaves: hard links, links, fifos, and files with a problem.

The original is held by a descriptor (O_PATH) from beginning to end, so that it cannot be
exchanged meanwhile. Which files are hard links of one another is kept on disk: a directory
holds one more link of each, named by the handle of the original, which no other file has, not
even one that gets the same inode number later.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import contextmanager, suppress
from typing import Iterator, NamedTuple

from fsrvpd.core import clones, files
from fsrvpd.core.clones import AttributeNotCopied, Status
from fsrvpd.core.descriptors import closing_fd
from fsrvpd.core.handles import handle_of
from fsrvpd.errors import StorageError
from fsrvpd.providers.reflink.remarks import Remarks
from fsrvpd.providers.reflink.time_budget import TimeBudget

_HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOATIME | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEVICES = (stat.S_IFBLK, stat.S_IFCHR)
_PIECE = 4 << 20  # bytes; between two the time limit is looked at
_CANNOT_SHARE = (errno.EINVAL, errno.EOPNOTSUPP)

SWAP = "is a swap file in use; the copy does without it"
DEVICE = "is a device, which fsrvpd may not make here; the copy does without it"
COPIED = "cannot share its blocks, so its content was copied"
_MANY_NAMES = (
    "the names of its extended attributes (streams are such) fill more than 64 KiB; they can be"
    " listed on XFS with CAP_SYS_ADMIN only; give fsrvpd that, or remove streams of the file"
)
_PRIVILEGED = "; only CAP_SYS_ADMIN may set it: give fsrvpd that (docker run --cap-add SYS_ADMIN)"


class OpenFile(NamedTuple):
    """`held` by O_PATH; `content` is open for reading if it is a regular file. `status` was
    read before its content."""

    held: int
    content: int
    status: Status


@contextmanager
def open_file(name: str, directory: int, *, wait: bool = False) -> Iterator[OpenFile]:
    """Open a file of any kind without effects on it. Raises: OSError; BlockingIOError, unless
    the caller can `wait`, while a process is asked to release a lease."""
    flags = _READ if wait else _READ | os.O_NONBLOCK
    with closing_fd(os.open(name, _HOLD, dir_fd=directory)) as held:
        status = clones.read_status(held)
        if not stat.S_ISREG(status.mode):
            yield OpenFile(held, held, status)
            return
        with closing_fd(os.open(f"/proc/self/fd/{held}", flags)) as content:
            yield OpenFile(held, content, clones.read_status(content))


class Links(NamedTuple):
    """Open directories on the file system of the copies, for links to files with several names:
    `new` is empty; `earlier` has those of an earlier run, which are valid for files that were last
    changed before `changed_before` (s since 1970)."""

    new: int
    earlier: int = -1
    changed_before: int = 0

    def of(self, status: Status) -> int:
        is_valid = self.earlier >= 0 and status.changed.seconds < self.changed_before
        return self.earlier if is_valid else self.new


class FileClone:
    """For one run."""

    def __init__(self, links: Links, time_budget: TimeBudget, remarks: Remarks) -> None:
        self._links = links
        self._time_budget = time_budget
        self._remarks = remarks
        self._linking = threading.Lock()

    def clone(self, file: OpenFile, target: int, name: str, where: object) -> bool:
        """Clone an open file to target/name, unless the copy does without it: then it returns
        False. `where` is for messages. Raises: OSError, also when target/name exists;
        StorageError, TookTooLong."""
        if file.status.links == 1:
            return self._make(file, target, name, where)
        handle, links = handle_of(file.held).hex(), self._links.of(file.status)
        with self._linking:  # or two threads would make two files of it
            if _link(handle, links, target, name):
                return True
            made = self._make(file, target, name, where)
            _remember(handle, links, target, name)
            return made

    def _make(self, file: OpenFile, target: int, name: str, where: object) -> bool:
        make = self._make_regular if stat.S_ISREG(file.status.mode) else _make_special
        reason = make(file, target, name, where)
        if reason:
            self._remarks.add(reason, where)
        self._time_budget.count(1, where)
        return reason not in (SWAP, DEVICE)

    def _make_regular(self, file: OpenFile, target: int, name: str, where: object) -> str:
        """Returns what is to be remarked."""
        original = file.content
        if clones.clone_regular(original, target, name, file.status):
            return ""
        with closing_fd(os.open(name, _CREATE, 0o600, dir_fd=target)) as copy:
            try:
                reason = self._share_or_copy(original, copy, where)
                copy_attributes(original, copy, file.status, where)
            except BaseException:
                os.unlink(name, dir_fd=target)
                raise
            if reason == SWAP:
                os.unlink(name, dir_fd=target)
        return reason

    def _share_or_copy(self, original: int, copy: int, where: object) -> str:
        try:
            files.clone_file(copy, original)
        except OSError as error:
            if error.errno == errno.ETXTBSY:
                return SWAP
            if error.errno not in _CANNOT_SHARE:
                raise
            self._copy_content(original, copy, where)
            return COPIED
        return ""

    def _copy_content(self, original: int, copy: int, where: object) -> None:
        """Read and write, leaving holes."""
        size = os.fstat(original).st_size
        os.ftruncate(copy, size)
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(original, offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return  # the rest is a hole
            piece = os.pread(original, min(_PIECE, size - offset), offset)
            if not piece:
                return
            offset += os.pwrite(copy, piece, offset)
            self._time_budget.count(0, where)


def _link(handle: str, links: int, target: int, name: str) -> bool:
    """Link to what an earlier name of the same file became, if there was one."""
    try:
        os.link(handle, name, src_dir_fd=links, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        # EMLINK: our own link is one more than the file system permits.
        if error.errno in (errno.ENOENT, errno.EMLINK):
            return False
        raise
    return True


def _remember(handle: str, links: int, target: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(handle, dir_fd=links)
    with suppress(FileNotFoundError):  # it was not made
        os.link(name, handle, src_dir_fd=target, dst_dir_fd=links, follow_symlinks=False)


def copy_attributes(source: int, target: int, before: Status, where: object) -> None:
    """As `clones.copy_attributes`, with an error for admins. Raises: OSError, StorageError."""
    try:
        clones.copy_attributes(source, target, before)
    except AttributeNotCopied as error:
        number = error.errno or 0
        cause = f"cannot copy its attribute {error.attribute}: {os.strerror(number)}"
        if not error.attribute:
            cause = _MANY_NAMES
        elif number in (errno.EPERM, errno.EACCES):
            cause += _PRIVILEGED
        raise StorageError(str(where), cause, error_number=number) from error


def _make_special(file: OpenFile, target: int, name: str, where: object) -> str:
    status = file.status
    kind = stat.S_IFMT(status.mode)
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink("", dir_fd=file.held), name, dir_fd=target)
    else:
        device = os.makedev(status.node_major, status.node_minor)
        try:
            os.mknod(name, kind | 0o600, device, dir_fd=target)
        except PermissionError:
            if kind in _DEVICES:
                return DEVICE
            raise
    with closing_fd(os.open(name, _HOLD, dir_fd=target)) as copy:
        copy_attributes(file.held, copy, status, where)
    return ""
