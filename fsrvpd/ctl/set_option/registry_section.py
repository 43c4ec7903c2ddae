"""A section of Samba's registry, and the change of one option in it, by `net conf`."""

from __future__ import annotations

import shlex
from typing import Any, Dict, List, Optional

from fsrvpd.errors import FsrvpdError, RegistryError
from fsrvpd.options.option import Option
from samba_hooks.registry.smb_conf_lines import key
from samba_hooks.tools import SambaTools


class RegistrySection:
    """`name` is "global" or a share's. Raises: RegistryError if it cannot be read."""

    def __init__(self, tools: SambaTools, name: str) -> None:
        self.title = f"[{name}] of Samba's registry"
        self.file = None
        self.name = name
        self.tools = tools
        self._parameters = _parameters(tools, name)

    def value(self, option: Option[Any]) -> Optional[str]:
        """As it is written here, whatever counts."""
        return next(iter(self.spellings(option).values()), None)

    def spellings(self, option: Option[Any]) -> Dict[str, str]:
        """The registry takes names that are equal for smbd as several parameters."""
        wanted = key(option.name)
        return {name: value for name, value in self._parameters.items() if key(name) == wanted}

    def change(self, option: Option[Any], wanted: Optional[str]) -> Optional[RegistryChange]:
        """None if there is nothing to change."""
        after = {} if wanted is None else {option.name: wanted}
        before = self.spellings(option)
        return None if after == before else RegistryChange(self, before, after)


class RegistryChange:
    """From some parameters of a section to others; each is a transaction, the new one first."""

    def __init__(
        self, section: RegistrySection, before: Dict[str, str], after: Dict[str, str]
    ) -> None:
        self._section = section
        self._before = before
        self._after = after

    def lines(self) -> List[str]:
        """The commands that make the change."""
        argv = ["net", *self._section.tools.arguments, "conf"]
        return [shlex.join([*argv, *each]) for each in self._commands(self._before, self._after)]

    def check(self) -> None:
        """Only the registry itself could tell whether it takes the change."""

    def apply(self) -> None:
        """Raises: RegistryError; then nothing has changed."""
        try:
            self._run(self._before, self._after)
        except RegistryError as error:
            self.undo()
            raise RegistryError(f"{self._section.title}: not changed: {error}") from error

    def undo(self) -> None:
        now = _parameters(self._section.tools, self._section.name)
        names = {*self._before, *self._after}
        self._run({name: now[name] for name in names & {*now}}, self._before)

    def _run(self, before: Dict[str, str], after: Dict[str, str]) -> None:
        for command in self._commands(before, after):
            self._section.tools.run("net", "conf", *command)

    def _commands(self, before: Dict[str, str], after: Dict[str, str]) -> List[List[str]]:
        name = self._section.name
        set_ = [
            ["setparm", "--", name, option, value]
            for option, value in after.items()
            if before.get(option) != value
        ]
        return set_ + [
            ["delparm", "--", name, option] for option in {**before} if option not in after
        ]


def _parameters(tools: SambaTools, name: str) -> Dict[str, str]:
    """As they are spelled. Of [global] there may be none."""
    try:
        text = tools.run("net", "conf", "showshare", "--", name)
    except FsrvpdError:
        if name != "global" or "global" in tools.run("net", "conf", "listshares").splitlines():
            raise
        return {}
    lines = (line[1:].partition(" = ") for line in text.split("\n") if line.startswith("\t"))
    return {option: value for option, _, value in lines}
