"""Adds `registry shares = yes` to smb.conf, and removes it.

Samba has no tool that writes smb.conf. The lines are marked as fsrvpctl's, and the file is
replaced only when Samba reads from the new one what is wanted.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import Iterator, NamedTuple, Optional

from fsrvpd.errors import ConfigError
from fsrvpd.options.option import is_yes
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.smb_conf_lines import GLOBAL, Line, key, parse
from samba_hooks.tools import SambaTools

OPTION = "registry shares"
MARK = "# fsrvpctl setup: shadow copy shares are made in Samba's registry"
_ADDED = re.compile(rf"\r?\n[ \t]*{re.escape(MARK)}(\r?\n[ \t]*{OPTION}[^\r\n]*)?")
# What may set it again after our line.
_DECIDING = {key(name): name for name in (OPTION, "include", "config file")}


class Change(NamedTuple):
    """From the file's content `before` to `after`."""

    path: str
    before: str
    after: str
    enables: bool
    description: str  # for people, in the imperative

    def undone(self) -> Change:
        return self._replace(before=self.after, after=self.before, enables=False)


def addition(samba: SambaConfiguration) -> Optional[Change]:
    """None when it is already on. Raises: ConfigError when there is no [global]."""
    if samba.registry_shares:
        return None
    text = _read(samba.config_file)
    found = next((line for line in parse(text) if line.is_section and line.name in GLOBAL), None)
    if found is None:
        raise ConfigError(
            f"{samba.config_file}: has no section [global]; add one with {OPTION} = yes"
        )
    head = "\n".join(text.split("\n")[: found.number]).rstrip("\r")
    end = "\r\n" if "\r\n" in text else "\n"
    lines = f"{end}\t{MARK}{end}\t{OPTION} = yes"
    description = f"add `{OPTION} = yes` to [global] of {samba.config_file}"
    return Change(samba.config_file, text, head + lines + text[len(head) :], True, description)


def removal(samba: SambaConfiguration) -> Optional[Change]:
    """None when setup has added nothing."""
    text = _read(samba.config_file)
    changed = _ADDED.sub("", text)
    if changed == text:
        return None
    description = f"remove `{OPTION} = yes` from [global] of {samba.config_file}"
    return Change(samba.config_file, text, changed, False, description)


def apply(change: Change, tools: SambaTools) -> None:
    """Replace the file, keeping owner, mode and ACL. Raises: FsrvpdError; then it is as before."""
    try:
        _replace(change, tools)
    except OSError as error:
        raise ConfigError(
            f"{change.path}: cannot be replaced: {error.strerror}; with an editor, where the file"
            f" can be written, {change.description}"
        ) from error


def _replace(change: Change, tools: SambaTools) -> None:
    """By a file beside it: in place, a crash or a full disk would leave half of it."""
    path = os.path.realpath(change.path)
    descriptor, new = tempfile.mkstemp(prefix=".smb.conf.", dir=os.path.dirname(path))
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(change.after)
            file.flush()
            os.fsync(descriptor)
        _check(new, change, tools)
        found = os.stat(path)
        os.chown(new, found.st_uid, found.st_gid)
        shutil.copystat(path, new)  # with its ACL, whose mask is the group's mode
        os.utime(new)  # by which smbd sees that it is another one
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _check(new: str, change: Change, tools: SambaTools) -> None:
    """Raises: FsrvpdError if Samba cannot read the new file, if it would have no effect, or if
    somebody has edited the old one since it was read."""
    is_on = is_yes(tools.parameter_in(new, OPTION))
    if change.enables and not is_on:
        why = ", ".join(_obstacles(change.before)) or "an option of the command line"
        raise ConfigError(
            f"{change.path}: not changed, because Samba would still read `{OPTION} = no`: see {why}"
        )
    if _read(change.path) != change.before:
        raise ConfigError(f"{change.path}: not changed, because it was edited meanwhile; try again")


def _obstacles(text: str) -> Iterator[str]:
    """The lines that decide it instead."""
    section: Optional[Line] = None
    for line in parse(text):
        if line.is_section:
            section = line
        elif line.name in _DECIDING and (section is None or section.name in GLOBAL):
            yield f"line {line.number}, `{_DECIDING[line.name]} = {line.value}`"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
