"""What is known of a file of a share, and the failure that programs tell apart by its errno."""

from __future__ import annotations

import errno as errno_module
from typing import Any, NamedTuple, Optional

from fsrvpd.requestor.errors import RequestorError

DIRECTORY, SPARSE, REPARSE_POINT = 0x10, 0x200, 0x400  # MS-FSCC 2.6
LONGEST_NAME = 255  # characters of UTF-16 and, on Linux, bytes


_NO_FILE_ID = 2**64 - 1  # MS-FSCC 2.1.9: no number would be the file's alone, as on ReFS


class Entry(NamedTuple):
    """`name` is one component as the server sends it, which is hostile: see `unsafe`. "" is the
    root of the tree."""

    name: str
    is_directory: bool
    size: int  # bytes
    allocated: int  # bytes
    created: int  # FILETIME, as the following
    accessed: int
    modified: int
    changed: int
    attributes: int  # FILE_ATTRIBUTE_*, MS-FSCC 2.6
    file_id: int  # 0 where the server has none
    reparse_tag: int  # 0 if it is no reparse point

    @property
    def is_sparse(self) -> bool:
        return bool(self.attributes & SPARSE)


class FileFailure(RequestorError):
    """A file or directory that cannot be read or written; `object` is its UNC."""

    def __init__(
        self,
        object: str,
        cause: str,
        next_step: str = "",
        *,
        errno: int = errno_module.EIO,
        result: Optional[int] = None,
    ) -> None:
        super().__init__(object, cause, next_step, result=result)
        self.errno = errno

    def __reduce__(self) -> Any:
        """Processes that read for others send it."""
        return _failure, (self.object, self.cause, self.next_step, self.errno, self.result)


def _failure(
    object: str, cause: str, next_step: str, errno: int, result: Optional[int]
) -> FileFailure:
    return FileFailure(object, cause, next_step, errno=errno, result=result)


def file_id_of(number: int) -> int:
    """For an `Entry`, from what a server sent."""
    return 0 if number == _NO_FILE_ID else number


def unsafe(name: str) -> str:
    """Why a name that a server sent must not become that of a local file, "" if it may."""
    if name in ("", ".", ".."):
        return "the name is no file's"
    if any(character in "/\\\0" for character in name):
        return "the name has a separator in it"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "the name is not Unicode"
    if len(name.encode()) > LONGEST_NAME:
        return f"the name has more than {LONGEST_NAME} bytes"
    return ""
