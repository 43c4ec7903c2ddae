"""The environment variables that tell a command what to back up."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Sequence

SET = "FSRVPSHADOW_SET"
MOUNT = "FSRVPSHADOW_MOUNT"
# For the manual.
MEANINGS = (
    (
        MOUNT,
        "The directory in which the copies are mounted, one directory for each, and in which"
        " COMMAND starts: `/run/fsrvpshadow/mnt/JOB`. Not with `--no-mount`.",
    ),
    (
        f"{MOUNT}_1, {MOUNT}_2, ...",
        "Where the copy of each SHARE is mounted, in the order of the command line or job; if SHARE"
        " names a directory of a share, that directory of the copy.",
    ),
    (SET, "The id of the set."),
    (
        "FSRVPSHADOW_SHARE_1, FSRVPSHADOW_SHARE_2, ...",
        "For each SHARE, in the order of the command line or job, its copy: `\\\\nas\\data@{...}`.",
    ),
    (
        "FSRVPSHADOW_PREFIX_1, FSRVPSHADOW_PREFIX_2, ...",
        "The directory in it, if SHARE names one; else empty.",
    ),
    (
        "VSS_SHADOW_SET, VSS_SHADOW_1, VSS_SHADOW_2, ...",
        "The ids of the set and of the copies, by the names that DISKSHADOW has for them.",
    ),
)


class Copy(NamedTuple):
    """One shadow copy. Ids are in registry form."""

    copy_id: str
    unc: str  # of its share
    prefix: str


def variables(set_id: str, copies: Sequence[Copy]) -> Dict[str, str]:
    found = {SET: set_id, "VSS_SHADOW_SET": set_id}
    for number, copy in enumerate(copies, 1):
        found[f"FSRVPSHADOW_SHARE_{number}"] = copy.unc
        found[f"FSRVPSHADOW_PREFIX_{number}"] = copy.prefix
        found[f"VSS_SHADOW_{number}"] = copy.copy_id
    return found


def of_mounts(directory: Path, mounts: Sequence[Path]) -> Dict[str, str]:
    found = {MOUNT: str(directory)}
    for number, mount in enumerate(mounts, 1):
        found[f"{MOUNT}_{number}"] = str(mount)
    return found


def exports(found: Mapping[str, str]) -> str:
    """Lines for a shell's `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items())
