"""Files by what they are, wherever they were moved, single names in a directory, and flags.

Every function raises OSError with errno and path.
"""

from __future__ import annotations

import errno
import os
from hashlib import blake2b

from fsrvpd.core.error_codes import Name, check
from fsrvpd.core.native import ffi, lib


def handle_of(file: int) -> bytes:
    """What the file system knows an open file by, also after the next boot.

    EOPNOTSUPP: the file system has no handles.
    """
    handle = ffi.new("uint8_t[]", lib.FSRVP_HANDLE_MAX)
    size = check(lib.fsrvp_handle_of(file, handle), file)
    return bytes(ffi.buffer(handle, size))


def name_of_handle(file: int) -> str:
    """`handle_of` as 16 hexadecimal digits, "" where the file system tells none. Never raises."""
    try:
        return blake2b(handle_of(file), digest_size=8).hexdigest()
    except OSError:
        return ""


def open_handle(file: int, handle: bytes, flags: int) -> int:
    """A descriptor of the file with a handle, on the file system of the open `file`.

    ESTALE: it does not exist any more. EPERM: the process lacks CAP_DAC_READ_SEARCH.
    """
    return check(lib.fsrvp_open_handle(file, handle, len(handle), flags), file)


def open_directory(directory: int, name: Name) -> int:
    """A descriptor of directory/name. No symbolic link is followed (ENOTDIR) and no
    mount point is crossed (EXDEV): what a user has mounted may never answer."""
    return check(lib.fsrvp_open_directory(directory, os.fsencode(name)), directory, name)


def rename_new(directory: int, old: Name, new: Name) -> None:
    """Rename an entry of a directory. EEXIST: the new name is taken."""
    returned = lib.fsrvp_rename_new(directory, os.fsencode(old), os.fsencode(new))
    check(returned, directory, old)


def forbidding_flag(file: int) -> str:
    """The option of chattr that forbids everybody to change an open file, "" without one."""
    flags = lib.fsrvp_get_flags(file)
    if flags == -errno.ENOTTY:
        return ""
    check(flags, file)
    if flags & lib.FSRVP_FLAG_IMMUTABLE:
        return "+i"
    return "+a" if flags & lib.FSRVP_FLAG_APPEND_ONLY else ""


def clear_flags(file: int) -> None:
    """Take the flags away that `forbidding_flag` reports."""
    check(lib.fsrvp_clear_flags(file), file)


def exchange(directory: int, one: Name, other: Name) -> None:
    """Give two entries of a directory each other's name, at one moment."""
    returned = lib.fsrvp_exchange(directory, os.fsencode(one), os.fsencode(other))
    check(returned, directory, one)
