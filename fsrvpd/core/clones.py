"""Files cloned with their attributes, by the C core and without the interpreter's lock."""

from __future__ import annotations

import os
from typing import List, Sequence

from fsrvpd.core._native import ffi, lib
from fsrvpd.core.system_calls import check

NANOSECONDS = 1_000_000_000


def clone_plain_files(source: int, target: int, names: Sequence[str]) -> List[str]:
    """Clone those of the named files of an open directory into another that are regular and
    have one link. Returns the names that are left, for whatever reason."""
    others = ffi.new("int8_t[]", len(names))
    packed = b"".join(os.fsencode(name) + b"\0" for name in names)
    lib.fsrvp_clone_plain_files(source, target, packed, len(names), others)
    return [name for name, is_other in zip(names, others) if is_other]


def clone_regular(source: int, target: int, name: str) -> bool:
    """Clone one regular file; False when there is none, or not any more.

    Raises: OSError; BlockingIOError while somebody is asked to give a lease back.
    """
    returned = lib.fsrvp_clone_regular(source, target, os.fsencode(name))
    return check(returned, source, name) == 0


def copy_attributes(source: int, target: int, status: os.stat_result, name: str = "") -> None:
    """Give target/name the attributes of source/name, whose `status` was read before;
    without a name the open files themselves. Raises: OSError."""
    attributes = ffi.new("fsrvp_attributes *")
    attributes.mode, attributes.uid, attributes.gid = status.st_mode, status.st_uid, status.st_gid
    accessed, modified = status.st_atime_ns, status.st_mtime_ns
    attributes.accessed_seconds, attributes.accessed_nanoseconds = divmod(accessed, NANOSECONDS)
    attributes.modified_seconds, attributes.modified_nanoseconds = divmod(modified, NANOSECONDS)
    returned = lib.fsrvp_copy_attributes(source, target, os.fsencode(name), attributes)
    check(returned, source, name)
