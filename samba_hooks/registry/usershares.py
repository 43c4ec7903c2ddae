"""Shares that users have defined themselves (`net usershare`), which have no shadow copies.

A user chooses path, permissions and name of such a share and changes them at any time; smbd checks
them when it looks the share up. A copy would be a share of the registry, as an admin makes them: it
would give others what the user chose to give when the copy was made, wherever the path led at that
moment, and go on when smbd no longer accepts the share itself.

Samba: source3/param/loadparm.c, load_usershare_service and process_usershare_file.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from typing import List, Optional

from fsrvpd.protocol.unc import normal_share
from samba_hooks.registry.share_definition import Defaults, Definition, is_share_name

_MAX_SIZE = 10 * 1024  # bytes, as in Samba
_TEMPORARY = ":"  # begins the name of a file that is being written


def find(name: str, defaults: Defaults) -> Optional[Definition]:
    """The definition of a usershare that smbd may serve, with the reason for which it has no
    copies. `defaults` is [global]."""
    directory = _directory(defaults)
    if not directory or not is_share_name(name):
        return None
    path = _path(os.path.join(directory, normal_share(name)))
    if path is None:
        return None
    typed = shlex.quote(name)
    reason = (
        f"it is a usershare (`net usershare info {typed}`), and its owner decides at any time where"
        f" it leads; as an admin, define it with `net usershare delete {typed}` and"
        f" `net conf addshare {typed} DIRECTORY`"
    )
    return Definition(name, {"path": path}, defaults, False, reason)


def names(defaults: Defaults) -> List[str]:
    """All of them, and files beside them that are none."""
    directory = _directory(defaults)
    with contextlib.suppress(OSError):
        found = os.listdir(directory) if directory else []
        return sorted(name for name in found if not name.startswith(_TEMPORARY))
    return []


def _directory(defaults: Defaults) -> str:
    """Where they are defined; "" if smbd does not look there."""
    path = defaults.get("usershare path", "")
    if not path or defaults.get("usershare max shares", "0") == "0":
        return ""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    mode = stat.S_IMODE(found.st_mode)
    trusted = found.st_uid == 0 and mode & stat.S_ISVTX and not mode & stat.S_IWOTH
    return path if stat.S_ISDIR(found.st_mode) and trusted else ""


def _path(file: str) -> Optional[str]:
    """The path in a definition, which a user has written; None if smbd does not take the file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & stat.S_IWOTH:
            return None
        text = os.read(descriptor, _MAX_SIZE).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    lines = (line.partition("=") for line in text.split("\n"))
    return next((value.strip(" ") for key, _, value in lines if key == "path"), None)
