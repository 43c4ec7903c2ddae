"""NTSTATUS of files: as an errno, and in words. Spec: MS-ERREF 2.3.1."""

from __future__ import annotations

import errno
from typing import Mapping, NamedTuple

from fsrvpd.requestor.files.records import FileFailure

BUFFER_OVERFLOW = 0x80000005
NO_MORE_FILES = 0x80000006
STOPPED_ON_SYMLINK = 0x8000002D
END_OF_FILE = 0xC0000011
NO_SUCH_FILE = 0xC000000F
INVALID_PARAMETER = 0xC000000D
BUFFER_TOO_SMALL = 0xC0000023
ACCESS_DENIED = 0xC0000022
PRIVILEGE_NOT_HELD = 0xC0000061
INFO_LENGTH_MISMATCH = 0xC0000004
PENDING = 0x103
TOO_SMALL = frozenset({BUFFER_OVERFLOW, BUFFER_TOO_SMALL, INFO_LENGTH_MISMATCH})
NOT_SUPPORTED = frozenset({0xC00000BB, 0xC0000010})  # and INVALID_DEVICE_REQUEST
# The server has forgotten the session, the share or the open file: a new connection helps.
SESSION_GONE = frozenset(
    {
        0xC0000203,  # USER_SESSION_DELETED
        0xC000035C,  # NETWORK_SESSION_EXPIRED
        0xC00000C9,  # NETWORK_NAME_DELETED
        0xC0000128,  # FILE_CLOSED
        0xC0000008,  # INVALID_HANDLE
        0xC000020C,  # CONNECTION_DISCONNECTED
        0xC000020D,  # CONNECTION_RESET
    }
)


class Meaning(NamedTuple):
    errno: int
    cause: str
    next_step: str = ""


_GONE = Meaning(errno.ENOENT, "it is not there")
_FULL = Meaning(errno.ENOSPC, "the server's disk is full", "make room there")
_MEANINGS: Mapping[int, Meaning] = {
    ACCESS_DENIED: Meaning(
        errno.EACCES, "access is denied", "let the account read it, or put it into Backup Operators"
    ),
    PRIVILEGE_NOT_HELD: Meaning(errno.EACCES, "the account lacks a privilege"),
    NO_SUCH_FILE: _GONE,
    0xC0000034: _GONE,  # OBJECT_NAME_NOT_FOUND
    0xC000003A: _GONE,  # OBJECT_PATH_NOT_FOUND
    0xC0000056: _GONE,  # DELETE_PENDING
    0xC0000033: Meaning(errno.EINVAL, "the server does not take this name"),
    0xC0000039: Meaning(errno.EINVAL, "the server does not take this path"),
    0xC0000106: Meaning(errno.ENAMETOOLONG, "the server does not take so long a name"),
    0xC0000035: Meaning(errno.EEXIST, "it is there already"),
    0xC0000043: Meaning(errno.EBUSY, "another program has it open", "close it there"),
    0xC0000054: Meaning(errno.EBUSY, "another program has locked it", "close it there"),
    0xC0000103: Meaning(errno.ENOTDIR, "it is not a directory"),
    0xC00000BA: Meaning(errno.EISDIR, "it is a directory"),
    0xC0000101: Meaning(errno.ENOTEMPTY, "the directory is not empty"),
    STOPPED_ON_SYMLINK: Meaning(errno.ELOOP, "it is a symbolic link, which is not followed"),
    0xC000007F: _FULL,  # DISK_FULL
    0xC0000044: _FULL,  # QUOTA_EXCEEDED
    0xC00000A2: Meaning(errno.EROFS, "the server's volume is write-protected"),
    0xC00000BB: Meaning(errno.EOPNOTSUPP, "the server cannot do that"),
    0xC0000010: Meaning(errno.EOPNOTSUPP, "the server cannot do that"),
    0xC000009A: Meaning(errno.ENOMEM, "the server has no resources for it", "try again later"),
    0xC000011F: Meaning(errno.ENFILE, "the server has too many files open", "try again later"),
}


def failure(object: str, status: int) -> FileFailure:
    """`object` is a UNC."""
    unknown = Meaning(errno.EIO, f"the server refuses it with {status:#010x}", "see its log")
    meaning = _MEANINGS.get(status, unknown)
    return FileFailure(object, meaning.cause, meaning.next_step, errno=meaning.errno, result=status)
