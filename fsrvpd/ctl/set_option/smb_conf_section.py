"""A section of smb.conf, and the change of one option in it.

The new file is put in place only if Samba reads from it what is wanted, and everything else as
before.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from fsrvpd.ctl.set_option.known import same_value
from fsrvpd.errors import ConfigError
from fsrvpd.options.option import Option
from samba_hooks import smb_conf_file, testparm
from samba_hooks.registry.smb_conf_edit import is_read_as, with_parameter, without_parameter
from samba_hooks.registry.smb_conf_lines import GLOBAL, key
from samba_hooks.registry.smb_conf_places import (
    Expand,
    Place,
    includes_registry,
    places,
    section_key,
)
from samba_hooks.tools import SambaTools

# By section and name of a parameter, both as `smb_conf_places` spells them.
Printed = Dict[Tuple[str, str], str]


class SmbConfSection:
    """`name` is "global" or a share's. Raises: ConfigError if smb.conf cannot be read."""

    def __init__(self, tools: SambaTools, path: str, name: str, expand: Expand) -> None:
        self.path = os.path.abspath(path)
        self.text = smb_conf_file.read(self.path)
        self.title = f"[{name}] of {self.path}"
        self.tools = tools
        self._key = section_key(name)
        self._expand = expand
        self.places = places(self.path, self.text, expand)

    @property
    def file(self) -> str:
        return self.path

    @property
    def elsewhere(self) -> Optional[Place]:
        """The header of the section, if it is not in this file but in one that it includes."""
        headers = [each for each in self._of(self.places) if not each.name]
        return headers[-1] if headers and not self.exists else None

    @property
    def exists(self) -> bool:
        return any(not each.name for each in self._own())

    def value(self, option: Option[Any]) -> Optional[str]:
        """As it is written here, whatever counts."""
        found = [each.value for each in self._own() if each.name == key(option.name)]
        return found[-1] if found else None

    def change(self, option: Option[Any], wanted: Optional[str]) -> Optional[SmbConfChange]:
        """None if there is nothing to change. Raises: ConfigError if it cannot be done here,
        FsrvpdError."""
        if wanted is None:
            after = without_parameter(self.text, self._own(), option.name)
            if after == self.text and not self._is_unset(option):
                raise ConfigError(self._not_here(option))
        else:
            if not is_read_as(option.name, wanted):
                raise ConfigError(
                    f"{option.name} = {wanted}: Samba would not read it as it is written, because"
                    " of blanks at its ends or beside each other, or a backslash at its end"
                )
            after = with_parameter(self.text, self._own(), option.name, wanted)
        if after == self.text or (wanted is not None and self._has(option, wanted)):
            return None
        return SmbConfChange(self, option, wanted, after)

    def require_effect(
        self, option: Option[Any], wanted: Optional[str], new: str, text: str
    ) -> None:
        """Raises: ConfigError unless Samba reads from the file `new`, which holds `text`, what is
        wanted, and everything else as from this one; RegistryError."""
        before, after = self._printed(self.path), self._printed(new)
        other = next(self._changed_otherwise(before, after, option), None)
        if other:
            raise ConfigError(f"{self.path}: not changed, because {other} would change with it")
        found = after.get((self._key, key(option.name)))
        if wanted is None and found is not None:
            raise ConfigError(self._still(option, found, text))
        if wanted is not None and not same_value(option, found, wanted):
            raise ConfigError(self._still(option, found, text))

    def printed(self, option: Option[Any]) -> Optional[str]:
        """What Samba reads for the section, as far as that is not inherited from [global]."""
        return self._printed(self.path).get((self._key, key(option.name)))

    def _has(self, option: Option[Any], wanted: str) -> bool:
        return self.value(option) == wanted and self.printed(option) == wanted

    def _is_unset(self, option: Option[Any]) -> bool:
        return self.printed(option) is None

    def _own(self) -> List[Place]:
        return [each for each in self._of(self.places) if each.path == self.path]

    def _of(self, found: Sequence[Place]) -> List[Place]:
        return [each for each in found if each.section == self._key]

    def _printed(self, path: str) -> Printed:
        sections = testparm.sections(self.tools.printed(path))
        return {
            (section_key(section), key(name)): value
            for section, parameters in sections.items()
            for name, value in parameters.items()
        }

    def _changed_otherwise(
        self, before: Printed, after: Printed, option: Option[Any]
    ) -> Iterator[str]:
        """With [global], or with a section that they copy, shares change too."""
        copying = {each.section for each in self.places if each.name == "copy"}
        for section, name in sorted(before.keys() | after.keys()):
            follows = section in (self._key, *copying) or self._key in GLOBAL
            if name == key(option.name) and follows:
                continue
            if before.get((section, name)) != after.get((section, name)):
                yield f"`{name}` in [{section}]"

    def _still(self, option: Option[Any], found: Optional[str], text: str) -> str:
        read = f"`{option.name} = {found}`" if found is not None else f"no `{option.name}`"
        why = self._decided_by(option, text)
        return f"{self.path}: not changed, because Samba would still read {read}: {why}"

    def _not_here(self, option: Option[Any]) -> str:
        read = f"`{option.name} = {self.printed(option)}`"
        why = self._decided_by(option, self.text)
        return f"{self.title}: {read} is not written there: {why}"

    def _decided_by(self, option: Option[Any], text: str) -> str:
        found = self._of(places(self.path, text, self._expand))
        setting = [each for each in found if each.name == key(option.name)]
        if setting and setting[-1].path != self.path:
            return f"change it in {setting[-1].where}, with an editor"
        copied = next((each for each in found if each.name == "copy"), None)
        if copied:
            return f"it may come from `copy = {copied.value}` ({copied.where})"
        if any(map(includes_registry, found)):
            return f"`net conf showshare global` shows what the registry says of {option.name}"
        return "look for it with `testparm -s`, and in options of the command line"


class SmbConfChange:
    """From the text of smb.conf to another one."""

    def __init__(
        self, section: SmbConfSection, option: Option[Any], wanted: Optional[str], after: str
    ) -> None:
        self._section = section
        self._option = option
        self._wanted = wanted
        self._after = after

    def lines(self) -> List[str]:
        """The change, as `diff -u` shows it."""
        path, before = self._section.path, self._section.text
        old, new = before.split("\n"), self._after.split("\n")
        return [*difflib.unified_diff(old, new, path, path, lineterm="")]

    def check(self) -> None:
        """Whether Samba would take it. Raises: FsrvpdError."""
        with tempfile.NamedTemporaryFile(prefix="fsrvpctl-smb.conf-") as file:
            file.write(self._after.encode("utf-8", "surrogateescape"))
            file.flush()
            self._require_effect(file.name)

    def apply(self) -> None:
        """Raises: FsrvpdError; then nothing has changed."""
        self._replace(self._section.text, self._after, self._require_effect)

    def undo(self) -> None:
        self._replace(self._after, self._section.text, lambda new: None)

    def _require_effect(self, new: str) -> None:
        self._section.require_effect(self._option, self._wanted, new, self._after)

    def _replace(self, before: str, after: str, check: smb_conf_file.Check) -> None:
        path = self._section.path
        try:
            smb_conf_file.replace(path, before, after, check)
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be replaced: {error.strerror}; with an editor, where the file can"
                f" be written, {self._by_hand()}"
            ) from error

    def _by_hand(self) -> str:
        title, name = self._section.title, self._option.name
        if self._wanted is None:
            return f"remove `{name}` from {title}"
        return f"write `{name} = {self._wanted}` into {title}"
