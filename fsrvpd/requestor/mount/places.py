"""Where copies are mounted: …/mnt/JOB/SHARE, the same in every run of a job.

Backup programs find the previous backup of a file by its path.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from typing import Mapping, Sequence

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.requestor.ports import ShareRoot

FOR_ROOT = Path("/run/fsrvpshadow")
_FOLDER = "mnt"
_LONGEST = 255  # bytes of a name
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$&'()+,-.;=@[]^_`{}~"
)


def mount_directory(environment: Mapping[str, str], uid: int) -> Path:
    """/run/fsrvpshadow/mnt for root, below the XDG runtime directory for others.
    Raises: RequestorError where there is none."""
    if uid == 0:
        return FOR_ROOT / _FOLDER
    for base in (environment.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if os.path.isabs(base) and os.path.isdir(base):
            # The kernel's table of mounts has no links in its paths, as /var/run may be one.
            return Path(os.path.realpath(base)) / "fsrvpshadow" / _FOLDER
    raise RequestorError(
        "the mount",
        "there is no directory for it: XDG_RUNTIME_DIR is not set",
        f"set XDG_RUNTIME_DIR to a directory of yours, or type `loginctl enable-linger {uid}`",
    )


def component(name: str) -> str:
    """A name of a job, a share or a server as one component of a path. What could mean something
    else there is written as % and the hexadecimal byte. Raises: RequestorError."""
    made = "".join(each if _is_plain(each) else _escaped(each) for each in name)
    if made.startswith("."):
        made = f"%2E{made[1:]}"
    if not made or len(made.encode()) > _LONGEST:
        raise RequestorError(name, "it is too long for the name of a directory", "use another name")
    return made


def points(directory: Path, job: str, roots: Sequence[ShareRoot]) -> list[Path]:
    """The mount point of each share of a job. Raises: RequestorError."""
    shares = Counter(root.share.casefold() for root in roots)
    names = [
        component(f"{root.host}_{root.share}" if shares[root.share.casefold()] > 1 else root.share)
        for root in roots
    ]
    for name, times in Counter(names).items():
        if times > 1:
            cause = "two shares of the job have the same name"
            raise RequestorError(name, cause, "name them in two jobs")
    return [directory / component(job) / name for name in names]


def make(point: Path, above: Path) -> None:
    """Make a mount point, and what is missing of the directories from `above` on. Nobody else may
    write to any of them. Raises: RequestorError."""
    for path in (above.parent, above, point.parent):
        _make_private(path)
    try:  # it may be what a killed process has left there
        point.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _cannot_make(point, error) from error


def remove(point: Path) -> None:
    """Remove a mount point, and the job's directory if nothing else is in it. Raises nothing."""
    for path in (point, point.parent):
        try:
            path.rmdir()
        except OSError:
            return


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise _cannot_make(path, error) from error
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_ours or found.st_mode & 0o022:
        cause = "it is not a directory of yours that only you may write to"
        raise RequestorError(str(path), cause, f"ls -ld {path}; remove it")


def _cannot_make(path: Path, error: OSError) -> RequestorError:
    cause = f"the directory cannot be made: {error.strerror}"
    return RequestorError(str(path), cause, f"ls -ld {path.parent}")


def _is_plain(character: str) -> bool:
    return character in _PLAIN or (ord(character) > 127 and character.isalnum())


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
