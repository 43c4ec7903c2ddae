"""Adds `registry shares = yes` to smb.conf, and removes it.

Samba has no tool that writes smb.conf. The lines are marked as fsrvpctl's, and the file is
replaced only when Samba reads from the new one what is wanted.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple, Optional

from fsrvpd.errors import ConfigError
from fsrvpd.options.option import is_yes
from samba_hooks import smb_conf_file
from samba_hooks.configuration import SambaConfiguration
from samba_hooks.registry.smb_conf_edit import insert
from samba_hooks.registry.smb_conf_lines import GLOBAL, Line, key, parse
from samba_hooks.registry.smb_conf_places import places
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
    path = samba.config_file
    text = smb_conf_file.read(path)
    headers = (each for each in places(path, text, str) if each.path == path and not each.name)
    found = next((each for each in headers if each.section in GLOBAL), None)
    if found is None:
        raise ConfigError(f"{path}: has no section [global]; add one with {OPTION} = yes")
    after = insert(text, found, [MARK, f"{OPTION} = yes"])
    return Change(path, text, after, True, f"add `{OPTION} = yes` to [global] of {path}")


def removal(samba: SambaConfiguration) -> Optional[Change]:
    """None when setup has added nothing."""
    text = smb_conf_file.read(samba.config_file)
    changed = _ADDED.sub("", text)
    if changed == text:
        return None
    description = f"remove `{OPTION} = yes` from [global] of {samba.config_file}"
    return Change(samba.config_file, text, changed, False, description)


def apply(change: Change, tools: SambaTools) -> None:
    """Replace the file, keeping owner, mode and ACL. Raises: FsrvpdError; then it is as before."""
    try:
        smb_conf_file.replace(
            change.path, change.before, change.after, lambda new: _check(new, change, tools)
        )
    except OSError as error:
        raise ConfigError(
            f"{change.path}: cannot be replaced: {error.strerror}; with an editor, where the file"
            f" can be written, {change.description}"
        ) from error


def _check(new: str, change: Change, tools: SambaTools) -> None:
    """Raises: FsrvpdError if Samba cannot read the new file, or if it would have no effect."""
    is_on = is_yes(tools.parameter_in(new, OPTION))
    if change.enables and not is_on:
        why = ", ".join(_obstacles(change.before)) or "an option of the command line"
        raise ConfigError(
            f"{change.path}: not changed, because Samba would still read `{OPTION} = no`: see {why}"
        )


def _obstacles(text: str) -> Iterator[str]:
    """The lines that decide it instead."""
    section: Optional[Line] = None
    for line in parse(text):
        if line.is_section:
            section = line
        elif line.name in _DECIDING and (section is None or section.name in GLOBAL):
            yield f"line {line.number}, `{_DECIDING[line.name]} = {line.value}`"
