"""`registry shares = yes` in smb.conf, set with consent and taken back.

Samba has no tool that writes smb.conf: the lines go into the file, marked as ours, and
only when its testparm can read the result.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import NamedTuple, Optional

from fsrvpd.errors import ConfigError
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.samba_tools import SambaTools

OPTION = "registry shares"
MARK = "# fsrvpctl setup: shadow copy shares are made in Samba's registry"
LINES = f"\t{MARK}\n\t{OPTION} = yes\n"
_GLOBAL = re.compile(r"^[ \t]*\[[ \t]*global[ \t]*\][^\n]*\n", re.IGNORECASE | re.MULTILINE)
_OURS = re.compile(rf"^[ \t]*{re.escape(MARK)}\n([ \t]*{OPTION}[^\n]*\n)?", re.MULTILINE)


class Change(NamedTuple):
    """`text` is the file's new content."""

    path: str
    text: str
    words: str  # what is done, for people


def addition(samba: SambaConfiguration) -> Optional[Change]:
    """None when it is on already. Raises: ConfigError when there is no [global]."""
    if samba.registry_shares:
        return None
    text = _read(samba.config_file)
    found = _GLOBAL.search(text)
    if found is None:
        raise ConfigError(f"{samba.config_file}: has no [global]; add one with {OPTION} = yes")
    changed = text[: found.end()] + LINES + text[found.end() :]
    words = f"add `{OPTION} = yes` to [global] of {samba.config_file}"
    return Change(samba.config_file, changed, words)


def removal(samba: SambaConfiguration) -> Optional[Change]:
    """None when there is nothing of ours."""
    text = _read(samba.config_file)
    changed = _OURS.sub("", text)
    if changed == text:
        return None
    words = f"take `{OPTION} = yes` out of [global] of {samba.config_file}"
    return Change(samba.config_file, changed, words)


def apply(change: Change, tools: SambaTools) -> None:
    """Put the new file in the old one's place, owner and mode kept, when Samba can read it.

    Raises: FsrvpdError.
    """
    path = os.path.realpath(change.path)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="surrogateescape", dir=os.path.dirname(path), delete=False
    ) as fresh:
        fresh.write(change.text)
    try:
        tools.check_file(fresh.name)
        found = os.stat(path)
        os.chown(fresh.name, found.st_uid, found.st_gid)
        shutil.copymode(path, fresh.name)
        os.replace(fresh.name, path)
    except BaseException:
        os.unlink(fresh.name)
        raise


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
