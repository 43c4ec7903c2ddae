"""What the kernel knows of mounts: which there are, their end, and how far it reads ahead."""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Optional

from fsrvpd.requestor.errors import RequestorError
from fsrvpd.run_command import CommandFailed, run

FUSE = "fuse.fsrvpshadow"
CIFS = "cifs"
READ_AHEAD = 4096  # KiB
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mounted(NamedTuple):
    kind: str  # of file system
    device: str  # MAJOR:MINOR


def require_fuse(device: Path = Path("/dev/fuse")) -> None:
    """Raises: RequestorError."""
    if not device.exists():
        cause = f"the kernel has no file systems in user space: {device} is missing"
        raise RequestorError("the mount", cause, "modprobe fuse, or do without: --no-mount")


def mounted_at(point: Path, table: Path = Path("/proc/self/mountinfo")) -> Optional[Mounted]:
    """The last mount at a path, None if there is none. No file system is asked: one whose process
    was killed answers with errors, and one whose process hangs not at all."""
    found = None
    for line in table.read_bytes().decode("utf-8", "surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if _plain(fields[4]) == str(point):
            found = Mounted(after.split(" ")[0], fields[2])
    return found


def _plain(field: str) -> str:
    """Blanks and backslashes are written as octal numbers."""
    plain = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), field)
    return plain.encode("latin-1").decode("utf-8", "surrogateescape") if plain.isascii() else plain


def unmount(point: Path, *, detach: bool = False) -> None:
    """`detach`: also if it is in use; it ends when nobody uses it any more.
    Raises: OSError, with EBUSY if it is in use."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        flags = _UMOUNT_NOFOLLOW | (_MNT_DETACH if detach else 0)
        if libc.umount2(os.fsencode(point), flags):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(point))
        return
    options = ["-u", "-z"] if detach else ["-u"]
    try:
        run(["fusermount3", *options, "--", str(point)])
    except CommandFailed as error:
        number = error.error_number or 16  # EBUSY: it says why in words only
        raise OSError(number, os.strerror(number), str(point)) from error


def detach_all(point: Path) -> None:
    """Detach whatever of ours is mounted there, in several layers too. Raises: RequestorError."""
    while True:
        mounted = mounted_at(point)
        if mounted is None:
            return
        if mounted.kind not in (FUSE, CIFS):
            cause = f"something else is mounted there ({mounted.kind})"
            raise RequestorError(str(point), cause, f"umount {point}")
        try:
            unmount(point, detach=True)
        except OSError as error:
            cause = f"it cannot be unmounted: {error.strerror}"
            raise RequestorError(str(point), cause, f"umount -l {point}") from error


def read_ahead(device: str) -> None:
    """Let the kernel read ahead as far as pays off over a network; libfuse cannot ask for more than
    128 KiB. Only root may; others read more slowly."""
    with suppress(OSError):
        Path(f"/sys/class/bdi/{device}/read_ahead_kb").write_text(f"{READ_AHEAD}\n")
