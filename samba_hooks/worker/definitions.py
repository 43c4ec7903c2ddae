"""Samba's configuration as loaded in this process, and shares found in it by name.

Shares of files are loaded with [global]; shares of the registry are fetched one by one,
since there may be thousands of ours. What was found is kept until the configuration
changes by another hand than ours.
"""

from __future__ import annotations

import os
from typing import Optional

from fsrvpd.errors import RegistryError
from samba_hooks import dump
from samba_hooks.freshness import NOWHERE, ConfigVersion, Freshness, stamp
from samba_hooks.share_definition import Definition, is_share_name
from samba_hooks.worker.config_files import config_files
from samba_hooks.worker.libsmbconf import Library

_MOST_KEPT = 4096
_CONFIG_FILE_HOPS = 4


class Definitions:
    """`config_file` None stands for the one that this Samba was built with."""

    def __init__(self, library: Library, config_file: Optional[str]) -> None:
        self._library = library
        self._start_file = config_file or library.default_config_file()
        self.config_file = self._start_file
        self.defaults: dump.Parameters = {}
        self.version = NOWHERE
        self._freshness = Freshness()
        self._kept: dict[str, Definition] = {}
        self._loaded = False

    def refresh(self) -> None:
        """Load the configuration if it is not the loaded one any more.

        Raises: RegistryError when Samba cannot read it.
        """
        if self._loaded and self._freshness.is_current(self.version):
            return
        self._loaded = False
        self._kept.clear()
        self._load(self._start_file)
        for _ in range(_CONFIG_FILE_HOPS):
            other = self.defaults["config file"]
            if not other or other == self.config_file or not os.path.isfile(other):
                break
            self._load(other)
        self._loaded = True

    def find(self, name: str) -> Optional[Definition]:
        """A share by name, whatever its case, as Samba spells it; None when there is none.

        [homes] and [printers] are found by those names only, never through them.
        Raises: RegistryError.
        """
        if not is_share_name(name):
            return None
        self.refresh()
        key = name.lower()
        if key not in self._kept:
            definition = self._look_up(name)
            if definition is None:
                return None
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = definition
        return self._kept[key]

    def names(self) -> list[str]:
        """All shares that files define; those of the registry are listed there."""
        self.refresh()
        sections = [dump.sections(printed).items() for printed in self._library.file_shares()]
        return [name for items in sections for name, own in items if not _is_ipc(own)]

    def own_change(self, before: int, after: int) -> None:
        """Our own transaction moved the registry's counter; what is kept stays true."""
        if self.version.sequence == before:
            self.version = self.version._replace(sequence=after)

    def forget(self, name: str) -> None:
        self._kept.pop(name.lower(), None)

    def _load(self, config_file: str) -> None:
        """The stamps are taken first: a change in between makes them stale, not wrong."""
        version = self._observe(config_file)
        if not self._library.load(config_file):
            raise RegistryError(
                f"{config_file}: Samba cannot read it; `testparm {config_file}` says why"
            )
        self.config_file = config_file
        self.defaults = dump.sections(self._library.globals())["global"]
        self.version = self._with_registry(version)

    def _observe(self, config_file: str) -> ConfigVersion:
        paths = config_files(self._library, config_file)
        if config_file != self._start_file:
            paths.insert(0, self._start_file)
        return ConfigVersion(tuple(stamp(path) for path in paths), "", -1)

    def _with_registry(self, version: ConfigVersion) -> ConfigVersion:
        """Nothing of the registry's shares is loaded yet, so that its counter may be read now.
        A cluster keeps the registry in a database of ctdb's."""
        if dump.is_yes(self.defaults["clustering"]):
            return version
        registry = os.path.join(self.defaults["state directory"], "registry.tdb")
        return version._replace(registry=registry, sequence=self._freshness.sequence(registry))

    def _look_up(self, name: str) -> Optional[Definition]:
        printed = self._library.file_share(name)
        if printed is not None:
            return self._definition(printed, from_registry=False)
        if not self._library.registry_shares_enabled():
            return None
        printed = self._library.registry_share(name)
        return None if printed is None else self._definition(printed, from_registry=True)

    def _definition(self, printed: str, *, from_registry: bool) -> Optional[Definition]:
        for name, own in dump.sections(printed).items():
            return None if _is_ipc(own) else Definition(name, own, self.defaults, from_registry)
        return None


def _is_ipc(own: dump.Parameters) -> bool:
    """IPC$ and ADMIN$, which Samba makes by itself, hold no files."""
    return own.get("fstype") == "IPC"
