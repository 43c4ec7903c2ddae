"""Whether a mount has changed that is not fsrvpd's own, without the kernel's table of all mounts.

Each copy is a mount, and the kernel takes 4 to 14 us to write a line of the table: 70 ms for 5,000
copies, after each change, of which nearly all are fsrvpd's own. To list the ids of as many takes
less than 1 ms, and only what others have mounted is asked for.

Spec: listmount(2), statmount(2).
"""

from __future__ import annotations

import os
from array import array
from typing import Callable, Dict, Optional, Set

from fsrvpd.core.native import ffi, lib

_MOST_IDS = 4096  # in one call
_MOST_FACTS = 16_384  # bytes: two paths and the options of a file system


class OtherMounts:
    """Not thread-safe. `is_own` is asked once for each mount, with its mount point: nobody moves
    what is fsrvpd's."""

    def __init__(self, is_own: Callable[[bytes], bool]) -> None:
        self._is_own = is_own
        self._ours: Set[int] = set()
        self._facts: Optional[Dict[int, bytes]] = None

    def have_changed(self) -> bool:
        """Since the last call. True as well the first time, and if the kernel does not say: Linux
        before 6.8, or a filter of system calls."""
        before = self._facts
        try:
            self._facts = self._read()
        except OSError:
            self._facts = None
        return self._facts is None or self._facts != before

    def _read(self) -> Dict[int, bytes]:
        known = self._facts or {}
        ids = _list()
        self._ours &= ids
        facts = {}
        for each in ids - self._ours:
            try:
                if each not in known and self._is_own(_mount_point(each)):
                    self._ours.add(each)
                else:
                    facts[each] = _facts(each)
            except FileNotFoundError:  # it is gone meanwhile, which is a change, too
                continue
        return facts


def _list() -> Set[int]:
    """The ids of all mounts that a path can lead to. None is ever given twice."""
    buffer = ffi.new("uint64_t[]", _MOST_IDS)
    found = array("Q")
    number = _MOST_IDS
    while number == _MOST_IDS:
        after = found[-1] if found else 0
        number = _checked(lib.fsrvp_mounts_list(after, buffer, _MOST_IDS))
        found.frombytes(ffi.buffer(buffer, number * found.itemsize)[:])
    return set(found)


def _mount_point(mount: int) -> bytes:
    path = ffi.new("char[]", lib.FSRVP_MOUNT_POINT_MAX)
    return bytes(ffi.buffer(path, _checked(lib.fsrvp_mount_point(mount, path))))


def _facts(mount: int) -> bytes:
    facts = ffi.new("uint8_t[]", _MOST_FACTS)
    return bytes(ffi.buffer(facts, _checked(lib.fsrvp_mount_facts(mount, facts, _MOST_FACTS))))


def _checked(returned: int) -> int:
    if returned < 0:
        raise OSError(-returned, os.strerror(-returned))
    return returned
