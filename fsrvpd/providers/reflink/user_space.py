"""File systems in user space that show directories of this machine: what to share instead.

What such a file system says of itself is only shown to people, and checked for that: any user
may mount one, with any name and source.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import List

from fsrvpd.core.mounts import Mount

LOCAL = ("mergerfs", "bindfs", "unionfs", "unionfs-fuse", "mhddfs", "shfs")
_BRANCHES = "user.mergerfs.srcmounts"  # of the file .mergerfs at the root of a mergerfs
_LONGEST = 4096  # characters of a path
_MOST = 8  # directories that are named


def why_not(path: str, mount: Mount) -> str:
    """Why a directory on FUSE has no copies, and what can be shared instead."""
    kind = mount.fs_type.partition(".")[2]
    is_bindfs = not kind and mount.source.startswith("/")
    if kind not in LOCAL and not is_bindfs:
        return (
            f"{path} is on {mount.fs_type}: take its snapshots on the server that stores it, or, if"
            " its files are on this machine, share the directory in which they are"
        )
    below = os.path.relpath(path, mount.mount_point)
    named = [os.path.normpath(os.path.join(each, below)) for each in _branches(kind, mount)]
    where = " and ".join(map(shlex.quote, named)) or f"other directories (`ps -C {kind} -o args`)"
    return (
        f"{path} is on {kind or 'FUSE'}, which shows what lies in {where}, and has no snapshots of"
        " it: share that instead; on btrfs, XFS, ZFS or a thin volume it can be copied"
    )


def _branches(kind: str, mount: Mount) -> List[str]:
    """The directories that are shown, as far as the file system or its mount names them."""
    text = mount.source
    if kind == "mergerfs":
        with suppress(OSError):
            control = os.path.join(mount.mount_point, ".mergerfs")
            text = os.fsdecode(os.getxattr(control, _BRANCHES, follow_symlinks=False))
    texts = text.replace(";", ":").split(":")
    return [each for each in texts if _is_shown(each)][:_MOST]


def _is_shown(text: str) -> bool:
    return text.startswith("/") and len(text) <= _LONGEST and text.isprintable()
