"""Knows fsrvpd's directory on a volume by what it is, not by its name.

Whoever may write to the root of a volume can rename `.fsrvpd`, and put something else in its
place. He can neither move it to another directory, since it is root's, nor set an extended
attribute in the namespace `trusted`. So the directory has such an attribute, a random text,
and the volume's root has one with the same text, and with the handles by which the file system
knows the root and the directory. The first says whether what has the name is ours; by the
second it is found wherever it was renamed to, without a search, or proved to exist no more.

A root with the handle of another root is a copy of that: a snapshot of it, a restored backup.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
import threading
from contextlib import suppress
from typing import Dict, NamedTuple, Optional, Tuple

from fsrvpd.core import btrfs, files, handles
from fsrvpd.core.descriptors import DIRECTORY_FLAGS, closing_fd
from fsrvpd.errors import NotOurs, StorageError
from fsrvpd.protocol.ports import OWN_DIRECTORY

log = logging.getLogger(__name__)

NAME = OWN_DIRECTORY
MARKERS = ".marks"
ATTRIBUTE = "trusted.fsrvpd"
_CLOSED = 0o700
_TOKEN_SIZE = 12  # bytes; os.getxattr asks twice for more than 128, which is two handles and this
_TRIES = 10  # against users who rename at the same time
_FUSE_MAGIC = 0x65735546
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_NO_ATTRIBUTE = (errno.ENODATA, errno.EOPNOTSUPP)
# By device: held by the thread that makes directories on a volume or renames them. A volume that
# does not answer keeps no other one waiting.
_changing: Dict[int, threading.Lock] = {}


class _Record(NamedTuple):
    """The attribute of a volume's root. A handle is empty where a file system has none."""

    token: bytes  # also the attribute of the directory
    root: bytes  # handles
    directory: bytes

    def encode(self) -> bytes:
        return b" ".join([self.token, self.root.hex().encode(), self.directory.hex().encode()])

    @classmethod
    def decode(cls, text: bytes) -> Optional[_Record]:
        try:
            token, root, directory = text.decode("ascii").split(" ")
            return cls(token.encode(), bytes.fromhex(root), bytes.fromhex(directory))
        except ValueError:
            return None


class _Found(NamedTuple):
    fd: int
    is_complete: bool  # recorded, by its name, closed to users, with MARKERS in it


def find(root: int, path: str) -> Optional[int]:
    """A descriptor of fsrvpd's directory on the volume whose root `path` is open as `root`.

    It gets its name back if it was renamed. None when there is none: none was made, or the
    file system knows that it was removed. Raises: OSError, StorageError.
    """
    found = _find(root, path)
    return None if found is None else found.fd


def ensure(root: int, path: str) -> int:
    """`find`, but it and MARKERS in it are made when there are none, and nothing else has its
    name afterwards. Raises: OSError, StorageError."""
    for _ in range(_TRIES):
        known = _find(root, path)
        if known is not None and known.is_complete:
            return known.fd
        found = None if known is None else known.fd
        with _change_of(root):
            if found is None and not _is_ours_by_name(root):  # another thread may have made it
                found = _make(root, path)
            if found is None:
                continue
            try:
                record = _record_of(root)
                if stat.S_IMODE(os.fstat(found).st_mode) != _CLOSED:
                    close_to_users(found)
                with suppress(FileExistsError):
                    os.mkdir(MARKERS, 0o700, dir_fd=found)
                if record is None or _attribute(found) != record.token:
                    _put_record(root, found)
                if _has_name(root, found):
                    return found
            except BaseException:
                os.close(found)
                raise
            os.close(found)
    raise StorageError(
        os.path.join(path, NAME),
        f"is renamed again and again by somebody who may write to {path}; take that right away",
    )


def has_record(root: int) -> bool:
    """Whether fsrvpd has made a directory on a volume, by whatever name it is there now.
    Raises: OSError."""
    return _record_of(root) is not None


def is_own(root: int, path: str) -> bool:
    """Whether a subvolume at a path below an open directory is fsrvpd's directory on the volume
    whose root that is, also while it is renamed or not yet recorded, or a snapshot in it."""
    if path.partition("/")[0] == NAME and btrfs.is_subvolume_root(root):
        return _is_ours_by_name(root)  # others can be given its name
    record = _record_of(root)
    if record is None:
        return False
    with suppress(OSError), closing_fd(handles.open_directory(root, path)) as directory:
        return _attribute(directory) == record.token
    return False


def remove_empty(root: int) -> bool:
    """Remove the directory that has the name, if it is ours and nothing but an empty MARKERS is in
    it. Raises: OSError."""
    with _change_of(root):
        if not _is_ours_by_name(root):
            return False
        try:
            with suppress(FileNotFoundError):
                os.rmdir(f"{NAME}/{MARKERS}", dir_fd=root)
            os.rmdir(NAME, dir_fd=root)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return False
        return True


def close_to_users(directory: int) -> None:
    """Let nobody but root into an open directory, whatever it has inherited from its parent.
    Raises: OSError."""
    for acl in _ACLS:
        try:
            os.removexattr(directory, acl)
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTE:
                raise
    os.fchown(directory, os.geteuid(), os.getegid())
    os.fchmod(directory, _CLOSED)


def _find(root: int, path: str) -> Optional[_Found]:
    record = _record_of(root)
    named = _open_named(root)
    if named is not None:
        directory, status = named
        if _is_adoptable(directory) if record is None else _attribute(directory) == record.token:
            found = _verified(directory, status, path)
            return found if record else found._replace(is_complete=False)
        os.close(directory)
    if record is None:
        return None
    moved = _open_recorded(root, path, record)
    if moved is not None:
        with _change_of(root):
            _restore_name(root, moved, path)
    return None if moved is None else _Found(moved, False)


def _is_ours_by_name(root: int) -> bool:
    named = _open_named(root)
    if named is None:
        return False
    with closing_fd(named[0]) as directory:
        record = _record_of(root)
        return _is_adoptable(directory) if record is None else _attribute(directory) == record.token


def _change_of(root: int) -> threading.Lock:
    return _changing.setdefault(os.fstat(root).st_dev, threading.Lock())


def _attribute(file: int) -> Optional[bytes]:
    try:
        return os.getxattr(file, ATTRIBUTE)
    except OSError as error:
        if error.errno not in _NO_ATTRIBUTE:
            raise
        return None


def _record_of(root: int) -> Optional[_Record]:
    """None without one, and when it is another root's."""
    text = _attribute(root)
    record = None if text is None else _Record.decode(text)
    return record if record and record.root == _handle_of(root) else None


def _put_record(root: int, directory: int) -> None:
    """The directory first: without the root's attribute it is adopted the next time."""
    token = _attribute(directory) or secrets.token_hex(_TOKEN_SIZE).encode()
    record = _Record(token, _handle_of(root), _handle_of(directory))
    os.setxattr(directory, ATTRIBUTE, token)
    os.setxattr(root, ATTRIBUTE, record.encode())


def _handle_of(file: int) -> bytes:
    try:
        return handles.handle_of(file)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return b""


def _open_named(root: int) -> Optional[Tuple[int, os.stat_result]]:
    """What has the name, if it is a directory that is not mounted there, and its status."""
    try:
        named = handles.open_directory(root, NAME)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
            return None
        raise
    status = os.fstat(named)
    if _is_empty_place(status, root):
        os.close(named)
        return None
    return named, status


def _has_name(root: int, directory: int) -> bool:
    named = _open_named(root)
    if named is None:
        return False
    with closing_fd(named[0]):
        return os.path.samestat(named[1], os.fstat(directory))


def _open_recorded(root: int, path: str, record: _Record) -> Optional[int]:
    """The directory of a record by its handle, None when it exists no more."""
    where = os.path.join(path, NAME)
    try:
        found = handles.open_handle(root, record.directory, DIRECTORY_FLAGS)
    except OSError as error:
        if error.errno == errno.ESTALE and files.file_system_magic(root) != _FUSE_MAGIC:
            return None
        why = f"was renamed or removed, and cannot be found ({os.strerror(error.errno or 0)})"
        raise NotOurs(
            where, f"{why}; give the directory that fsrvpd made its name again"
        ) from error
    if _attribute(found) != record.token:  # the record was copied from another file system
        os.close(found)
        return None
    with closing_fd(os.open("..", DIRECTORY_FLAGS, dir_fd=found)) as parent:
        if _is_same(parent, root):
            return _verified(found, os.fstat(found), path).fd
    now = os.readlink(f"/proc/self/fd/{found}")
    os.close(found)
    raise NotOurs(where, f"is {now} now; move that back")


def _verified(directory: int, status: os.stat_result, path: str) -> _Found:
    """The open directory, which is closed with an error when others may have changed it."""
    markers, owner = _markers_of(directory), os.geteuid()
    if _belongs_to(owner, status) and (markers is None or _are_ours(owner, markers)):
        is_closed = stat.S_IMODE(status.st_mode) == _CLOSED
        return _Found(directory, is_closed and markers is not None)
    os.close(directory)
    where = os.path.join(path, NAME)
    raise NotOurs(
        where,
        f"it or {MARKERS} in it belongs to a user, or can be written by others, who may have"
        f" changed what is there; check that, then chown root '{where}' '{where}/{MARKERS}' and"
        " chmod go-w them",
    )


def _is_adoptable(directory: int) -> bool:
    """Whether only root can have made it, though its volume has no record: an earlier version
    made it, it was restored without attributes, or the process ended just then."""
    owner = os.geteuid()
    if not _belongs_to(owner, os.fstat(directory)):
        return False
    markers = _markers_of(directory)
    return not os.listdir(directory) if markers is None else _are_ours(owner, markers)


def _belongs_to(owner: int, status: os.stat_result) -> bool:
    """Whether nobody else may write to it, by its mode."""
    return status.st_uid == owner and not status.st_mode & 0o022


def _markers_of(directory: int) -> Optional[os.stat_result]:
    try:
        return os.stat(MARKERS, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _are_ours(owner: int, markers: os.stat_result) -> bool:
    return stat.S_ISDIR(markers.st_mode) and _belongs_to(owner, markers)


def _is_same(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))


def _make(root: int, path: str) -> Optional[int]:
    """A new directory, None when somebody else was quicker."""
    _move_aside(root, path)
    try:
        btrfs.create_subvolume(root, NAME)
    except FileExistsError:
        return None
    except OSError as error:
        if error.errno != errno.ENOTTY:
            raise
        with suppress(FileExistsError):
            os.mkdir(NAME, 0o700, dir_fd=root)
    named = _open_named(root)
    if named is None:
        return None
    made, status = named
    try:
        if status.st_uid == os.geteuid() and not os.listdir(made):
            close_to_users(made)
            os.mkdir(MARKERS, 0o700, dir_fd=made)
            return made
    except BaseException:
        os.close(made)
        raise
    os.close(made)
    return None


def _restore_name(root: int, directory: int, path: str) -> None:
    """As far as users let us: the directory is open, and is used in any case."""
    for _ in range(_TRIES):
        if _has_name(root, directory):
            return
        try:
            _move_aside(root, path)
            now = os.path.basename(os.readlink(f"/proc/self/fd/{directory}"))
            handles.rename_new(root, now, NAME)
        except (FileNotFoundError, FileExistsError):
            continue
        except OSError as error:
            cause = os.strerror(error.errno or 0)
            log.warning("%s/%s was renamed and cannot be renamed back: %s", path, NAME, cause)
            return
        log.warning("%s/%s was renamed to %s by a user, and is renamed back", path, NAME, now)


def _move_aside(root: int, path: str) -> None:
    """Rename what has our name; nothing of it is lost."""
    aside = f"{NAME}.not-ours-{secrets.token_hex(4)}"
    try:
        handles.rename_new(root, NAME, aside)
        owner = os.stat(aside, dir_fd=root, follow_symlinks=False).st_uid
    except FileNotFoundError:
        return
    except OSError:
        if not _is_empty_place(os.stat(NAME, dir_fd=root, follow_symlinks=False), root):
            raise
        os.rmdir(NAME, dir_fd=root)
        return
    log.warning(
        "%s/%s belonged to user %d and not to fsrvpd: it is %s now", path, NAME, owner, aside
    )


def _is_empty_place(status: os.stat_result, root: int) -> bool:
    """Whether a snapshot on btrfs lacks a subvolume of its original there."""
    if status.st_ino != btrfs.EMPTY_PLACE_INODE:
        return False
    return files.file_system_magic(root) == btrfs.SUPER_MAGIC
