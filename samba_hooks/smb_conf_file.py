"""Replaces smb.conf, or what it leads to, as a whole: at any moment it is the old or the new one.

It is root who writes, so the way to the file must be root's: somebody else who may rename a
directory, or a link, on that way could lead the change to another file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple

from fsrvpd.errors import ConfigError

_MAX_LINKS = 40  # as in Linux
_OTHERS_WRITE = 0o022  # an ACL permits no more than the group's bits
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AS_IT_IS: Any = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
# What is done with a file that Samba shall read before it is put in place; may raise.
Check = Callable[[str], None]


class EditedMeanwhile(ConfigError):
    """The file no longer holds what the change was made from."""


class _Parent(NamedTuple):
    """The open directory that holds a file, and the file's name in it."""

    directory: int
    path: str
    name: str


def read(path: str) -> str:
    """Raises: ConfigError."""
    try:
        with open(path, **_AS_IT_IS) as file:
            text: str = file.read()
            return text
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def replace(path: str, before: str, after: str, check: Check) -> None:
    """Put a new file in place of one that holds `before`; it keeps owner, mode, ACL and other
    attributes. `check` is given a file with the new text.

    Raises: OSError, ConfigError, and whatever `check` raises; then nothing has changed.
    """
    with _parent_of(path) as parent:
        fcntl.flock(parent.directory, fcntl.LOCK_EX)  # several of these commands at a time
        with _same_file(path, parent, before) as old, _new_file(parent, after, old) as new:
            check(os.path.join(parent.path, new))
            with _same_file(path, parent, before):  # an editor knows nothing of the lock
                os.rename(
                    new, parent.name, src_dir_fd=parent.directory, dst_dir_fd=parent.directory
                )
        os.fsync(parent.directory)


@contextlib.contextmanager
def _same_file(path: str, parent: _Parent, before: str) -> Iterator[int]:
    """The file, open. Raises: OSError; ConfigError unless it holds `before`."""
    found = os.open(parent.name, _TO_READ, dir_fd=parent.directory)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise ConfigError(f"{path}: is not a file")
        with open(found, closefd=False, **_AS_IT_IS) as file:
            if file.read() != before:
                raise EditedMeanwhile(
                    f"{path}: not changed, because it was edited meanwhile; try again"
                )
        yield found
    finally:
        os.close(found)


@contextlib.contextmanager
def _new_file(parent: _Parent, text: str, old: int) -> Iterator[str]:
    """Its name; it is removed unless it is renamed."""
    name = f".smb.conf.{secrets.token_hex(4)}"
    try:
        _write(parent.directory, name, text, old)
        yield name
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent.directory)
        raise


def _write(directory: int, name: str, text: str, old: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    new = os.open(name, flags, 0o600, dir_fd=directory)
    with open(new, "w", **_AS_IT_IS) as file:
        file.write(text)
        file.flush()
        found = os.fstat(old)
        os.fchown(new, found.st_uid, found.st_gid)
        os.fchmod(new, stat.S_IMODE(found.st_mode))
        for attribute in os.listxattr(old):  # an ACL among them
            os.setxattr(new, attribute, os.getxattr(old, attribute))
        os.fsync(new)


@contextlib.contextmanager
def _parent_of(path: str) -> Iterator[_Parent]:
    """Follows links itself. Raises: OSError; ConfigError if users can rename what is on the way."""
    with contextlib.ExitStack() as opened:
        at, left, links = _Directory(opened), _parts(os.path.join(os.getcwd(), path)), 0
        while left:
            name = left.pop()
            if name == "..":
                at.up()
                continue
            found = os.stat(name, dir_fd=at.fd, follow_symlinks=False)
            _require_fixed(path, at.path, os.fstat(at.fd), found)
            if stat.S_ISLNK(found.st_mode) and links < _MAX_LINKS:
                links += 1
                target = os.readlink(name, dir_fd=at.fd)
                if target.startswith("/"):
                    at = _Directory(opened)
                left += _parts(target)
            elif left:
                at.down(name)
            else:
                yield _Parent(at.opened(), at.path, name)
                return
        raise ConfigError(f"{path}: is not a file")


class _Directory:
    """An open directory, at first the root; none of its names is a link."""

    def __init__(self, opened: contextlib.ExitStack) -> None:
        self._opened = opened
        self._names: List[str] = []
        self.fd = self._open("/", None, os.O_PATH)

    @property
    def path(self) -> str:
        return "/" + "/".join(self._names)

    def down(self, name: str) -> None:
        self.fd = self._open(name, self.fd, os.O_PATH)
        self._names.append(name)

    def up(self) -> None:
        self.fd = self._open("..", self.fd, os.O_PATH)
        self._names[-1:] = []

    def opened(self) -> int:
        return self._open(".", self.fd, os.O_RDONLY)

    def _open(self, name: str, within: Optional[int], flags: int) -> int:
        fd = os.open(name, flags | _DIRECTORY, dir_fd=within)
        self._opened.callback(os.close, fd)
        return fd


def _parts(path: str) -> List[str]:
    """The last one first."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def _require_fixed(path: str, where: str, directory: os.stat_result, entry: os.stat_result) -> None:
    """Raises: ConfigError if others than root, or whoever runs this, can rename the entry."""
    trusted: Tuple[int, ...] = (0, os.geteuid())
    if directory.st_uid in trusted:
        if not directory.st_mode & _OTHERS_WRITE:
            return
        if directory.st_mode & stat.S_ISVTX and entry.st_uid in trusted:
            return
    raise ConfigError(
        f"{path}: not changed, because others than root can rename what is in {where} (owner"
        f" {directory.st_uid}, mode {stat.S_IMODE(directory.st_mode):04o}), and so have root write"
        f" another file: let root own it and `chmod go-w '{where}'`, or use an editor"
    )
