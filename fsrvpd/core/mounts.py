"""Finds the mount on which a path lies, in the kernel's /proc/self/mountinfo.

Spec: proc(5).
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional, Union

from fsrvpd.core.error_codes import reason
from fsrvpd.core.native import ffi, lib

Path = Union[str, bytes]

MOUNT_ROOT = "/run/fsrvpd"  # below it is what fsrvpd itself mounts


class Mount(NamedTuple):
    mount_id: int
    parent_id: int
    device: tuple[int, int]  # major and minor number
    root: str  # the directory of the file system that is mounted
    mount_point: str
    fs_type: str
    source: str
    options: tuple[str, ...]  # of this mount: rw, noatime…
    super_options: tuple[str, ...]  # of the file system: rw, subvol=/data…


class MountTable:
    """The mounts that paths can reach, at one moment; mounts hidden by others are left out.

    Paths are absolute and free of `.`, `..` and symbolic links.
    """

    __slots__ = ("_built", "_count", "_mounts", "_text")

    def __init__(self, text: Any, mounts: Any, count: int) -> None:
        self._text, self._mounts, self._count = text, mounts, count
        self._built: list[Optional[Mount]] = [None] * count

    @classmethod
    def parse(cls, data: bytes) -> MountTable:
        """Raises: ValueError, with the line, when the data is not mountinfo."""
        text = ffi.new("char[]", data)
        capacity = lib.fsrvp_mounts_count(text, len(data))
        mounts = ffi.new("fsrvp_mount[]", capacity)
        count = ffi.new("uint32_t *")
        error = lib.fsrvp_mounts_parse(text, len(data), mounts, capacity, count)
        if error < 0:
            line = data.split(b"\n")[count[0]]
            raise ValueError(f"mountinfo, line {count[0] + 1}: {reason(error)}: {line!r}")
        return cls(text, mounts, count[0])

    def __len__(self) -> int:
        return self._count

    def lookup(self, path: Path) -> Mount:
        """The mount on which a path lies. Raises: ValueError when there is none."""
        data = os.fsencode(path)
        place = lib.fsrvp_mounts_find(self._mounts, self._count, data, len(data))
        if place == lib.FSRVP_NO_MOUNT:
            raise ValueError(f"no mount holds {path!r}")
        return self._built[place] or self._build(place)

    def below(self, path: Path) -> list[Mount]:
        """The mounts strictly below a directory, at any depth, parents first."""
        data = os.fsencode(path)
        first = ffi.new("uint32_t *")
        count = lib.fsrvp_mounts_below(self._mounts, self._count, data, len(data), first)
        return [self._built[n] or self._build(n) for n in range(first[0], first[0] + count)]

    def _build(self, place: int) -> Mount:
        entry = self._mounts[place]
        mount = self._built[place] = Mount(
            mount_id=entry.mount_id,
            parent_id=entry.parent_id,
            device=(entry.major, entry.minor),
            root=self._string(entry.root),
            mount_point=self._string(entry.mount_point),
            fs_type=self._string(entry.fs_type),
            source=self._string(entry.source),
            options=tuple(self._string(entry.options).split(",")),
            super_options=tuple(self._string(entry.super_options).split(",")),
        )
        return mount

    def _string(self, span: Any) -> str:
        return os.fsdecode(ffi.unpack(self._text + span.offset, span.size))
