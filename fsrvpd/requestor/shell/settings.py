"""What SET changes and RESET forgets, and the aliases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Iterator, Mapping, Optional, Set

from fsrvpd.protocol.context import (
    ATTR_AUTO_RECOVERY,
    ATTR_NO_AUTO_RECOVERY,
    ATTR_NO_WRITERS,
    CTX_APP_ROLLBACK,
    CTX_BACKUP,
)
from fsrvpd.requestor.shell.lines import WrongWord


@dataclass
class Settings:
    """The defaults are DISKSHADOW's."""

    persistent: bool = False
    writers: bool = True
    auto_recovery: Optional[bool] = None  # by SET OPTION
    metadata: str = ""  # the path of a file, or none
    verbose: bool = False
    verified: Set[str] = field(default_factory=set)  # components of writers
    excluded: Set[str] = field(default_factory=set)

    def taking_part(self, components: Iterable[str]) -> dict[str, bool]:
        """The components of the next set, and whether it must not be made without one."""
        wanted = components if self.writers else ()
        return {each: each in self.verified for each in wanted if each not in self.excluded}

    @property
    def context(self) -> int:
        """Writers may change a copy before it is complete, as DISKSHADOW's flags show
        (0x04400009); without writers there is nobody who would, unless an option says so."""
        attributes = CTX_APP_ROLLBACK if self.persistent else CTX_BACKUP
        if not self.writers:
            attributes |= ATTR_NO_WRITERS
        if self.auto_recovery is False:
            return attributes | ATTR_NO_AUTO_RECOVERY
        if self.auto_recovery or self.writers:
            return attributes | ATTR_AUTO_RECOVERY
        return attributes

    def shown(self) -> Iterator[str]:
        context = "PERSISTENT" if self.persistent else "VOLATILE"
        yield f"CONTEXT {context}" + ("" if self.writers else " NOWRITERS")
        if self.auto_recovery is not None:
            yield "OPTION " + ("ROLLBACKRECOVER" if self.auto_recovery else "NOAUTORECOVER")
        yield f"METADATA {self.metadata or '<none>'}"
        yield "VERBOSE " + ("ON" if self.verbose else "OFF")


class Aliases:
    """Values by names, which are compared without case. Behind them stands the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._named: dict[str, tuple[str, str]] = {}  # by the name in one case

    def set(self, name: str, value: str) -> None:
        """Raises: WrongWord."""
        check_name(name)
        if "\0" in value:
            raise WrongWord(name, "its value contains a NUL character", "remove it")
        self._named[name.casefold()] = (name, value)

    def value(self, name: str) -> Optional[str]:
        if name.casefold() in self._named:
            return self._named[name.casefold()][1]
        return self._environment.get(name)

    def clear(self) -> None:
        self._named.clear()

    def named(self) -> dict[str, str]:
        """Values by names, in the order in which they were set."""
        return dict(self._named.values())

    def by_value(self) -> dict[str, str]:
        """The first name of each value."""
        return {value: name for name, value in reversed(list(self._named.values()))}


def check_name(name: str) -> None:
    """Raises: WrongWord if it cannot be the name of an alias and of an environment variable."""
    if not name or any(each in "=%\0" or each.isspace() for each in name):
        raise WrongWord(name, "this cannot be the name of an alias", "use letters and digits")
