"""The directory that holds a mirror, and what is needed to work with it: one process at a time."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Optional, Type

from fsrvpd.requestor.copying.local_directory import LocalDirectory, open_directory
from fsrvpd.requestor.copying.side_file import FOLDER, PARTS, SideFile
from fsrvpd.requestor.errors import RequestorError

_NOT_OURS = "it is not empty, and holds no copy of fsrvpshadow"


class MirrorDirectory:
    """Made by `open_mirror` and `look_at_mirror`. A context manager."""

    def __init__(self, path: str, top: LocalDirectory) -> None:
        """Owns `top`, also if it raises: RequestorError, OSError."""
        with ExitStack() as stack:
            stack.callback(top.close)
            folder = top.make_directory(FOLDER)
            stack.callback(folder.close)
            _check_owner(path, folder)
            # Nothing is copied into one that is read-only: `open_mirror` refuses it.
            self.parts = folder.make_directory(PARTS) if folder.is_writable() else folder.again()
            stack.callback(self.parts.close)
            self.side = SideFile(folder, where=path)
            stack.callback(self.side.close)
            self.path, self.top = path, top
            self._opened = stack.pop_all()

    def __enter__(self) -> MirrorDirectory:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._opened.close()

    def check_source(self, source: str) -> None:
        r"""`source` is what is copied, \\nas\data\projects. Raises: RequestorError."""
        found = self.side.source
        if found and found.casefold() != source.casefold():
            cause = f"it is a copy of {found}"
            raise RequestorError(self.path, cause, "name another directory")


def _check_owner(path: str, folder: LocalDirectory) -> None:
    """What somebody else has prepared in it may lead elsewhere, or lie. On NFS what root makes may
    belong to another user: so does the next file then. Raises: RequestorError, OSError."""
    owner = os.fstat(folder.fd).st_uid
    if owner == os.geteuid():
        return
    if not folder.is_writable() or _owner_of_new_file(folder) != owner:
        cause = f"{FOLDER} in it belongs to another user, with the number {owner}"
        raise RequestorError(path, cause, "copy and restore as that user, or use another directory")


def _owner_of_new_file(folder: LocalDirectory) -> int:
    """Raises: OSError."""
    name = f"owner-{os.getpid()}"
    with folder.opened(name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as fd:
        folder.remove(name)
        return os.fstat(fd).st_uid


def open_mirror(path: str) -> MirrorDirectory:
    """To copy into: a new directory, an empty one, or one that is a mirror. Raises:
    RequestorError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if not os.path.lexists(os.path.join(path, FOLDER)):
            check_empty(path)
        top = open_directory(path)
        if not top.is_writable():
            top.close()
            raise RequestorError(path, "it cannot be written to", "name another directory")
        return MirrorDirectory(path, top)
    except OSError as error:
        raise RequestorError(path, error.strerror or str(error), "") from error


def check_empty(path: str) -> None:
    """A directory that is not there is as good. Raises: RequestorError."""
    if os.path.isdir(path) and os.listdir(path):
        raise RequestorError(path, _NOT_OURS, "name an empty directory, or a new one")


def look_at_mirror(path: str) -> Optional[MirrorDirectory]:
    """None if there is none. Raises: RequestorError."""
    try:
        top = open_directory(path)
        if top.status(FOLDER) is None:
            top.close()
            return None
        return MirrorDirectory(path, top)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RequestorError(path, error.strerror or str(error), "") from error
