"""Samba's configuration as loaded in this process; finds shares by name.

Shares in files are loaded with [global], and printed when they are asked for. Shares in the
registry are fetched one by one, because there may be thousands of shadow copy shares. What was
found is kept until somebody else than fsrvpd changes the configuration.
"""

from __future__ import annotations

import os
import re
import time
from typing import Iterable, List, Optional, Union

from fsrvpd.errors import RegistryError
from fsrvpd.options.option import is_yes, unquoted
from fsrvpd.protocol.unc import normal_share
from samba_hooks import testparm
from samba_hooks.registry import per_client, smb_conf_faults, usershares
from samba_hooks.registry.config_version import (
    NOWHERE,
    ConfigChangeDetector,
    ConfigVersion,
    FileStamp,
)
from samba_hooks.registry.per_client import PerClient
from samba_hooks.registry.share_definition import (
    Defaults,
    Definition,
    as_read,
    charset_of,
    is_share_name,
)
from samba_hooks.registry.worker.config_source import ConfigSource
from samba_hooks.registry.worker.libsmbconf import Library

_MAX_CACHED_SHARES = 4096
_MAX_CONFIG_FILE_HOPS = 4
_TIME_FOR_MANY = (
    0.2  # s, for which other requests wait; one share of the registry takes up to 10 ms
)
# Macros in a path that are not the same for every client, as %h, %v and %w are, and %S, the share.
_NOT_OF_THE_SERVER = re.compile("%[^hvwS]")

Found = Union[Definition, RegistryError, None]


class LoadedShares:
    """`config_file` None is the default of this Samba."""

    def __init__(self, library: Library, config_file: Optional[str]) -> None:
        self._library = library
        self._start_file = config_file or library.default_config_file()
        self.config_file = self._start_file
        self.defaults = Defaults()
        self.version = NOWHERE
        self._change_detector = ConfigChangeDetector()
        self._registry: Optional[ConfigSource] = None
        self._numbers: Optional[dict[str, int]] = None  # of the shares in files, by `normal_share`
        self._of_samba: set[str] = set()  # shares that Samba makes itself, as far as known
        self._cache: dict[str, Definition] = {}
        self._per_client = PerClient((), "", {})
        self._stamps: dict[str, FileStamp] = {}  # of all files that were read, by path
        self._loaded = False

    def refresh(self) -> None:
        """Reload the configuration if it has changed.

        Raises: RegistryError if Samba cannot read it.
        """
        if self._loaded and self._change_detector.is_current(self.version):
            return
        self._loaded = False
        self._numbers = None
        self._of_samba.clear()
        self._cache.clear()
        self._per_client = PerClient((), "", {})
        self._stamps = {}
        self._load(self._start_file)
        for _ in range(_MAX_CONFIG_FILE_HOPS):
            other = unquoted(self._library.expand(self.defaults["config file"]))
            if not other or other == self.config_file or not os.path.isfile(other):
                break
            self._load(other)
        self._loaded = True

    def find(self, name: str) -> Optional[Definition]:
        """A share by name, whatever its case; None if there is none.

        [homes] and [printers] are found only by their own names, not by the names of users and
        printers. Raises: RegistryError.
        """
        found = self.find_all([name])[0]
        if isinstance(found, RegistryError):
            raise found
        return found

    def find_all(self, names: Iterable[str]) -> List[Found]:
        """The same for the first of many, as many as are found in `_TIME_FOR_MANY`, and one at
        least; with the error in place of a share that cannot be read. All are of the configuration
        that has `version` afterwards: whatever changes meanwhile makes that version an old one."""
        self.refresh()
        found: List[Found] = []
        end = time.monotonic() + _TIME_FOR_MANY
        for name in names:
            found.append(self._try_to_find(name) if is_share_name(name) else None)
            if time.monotonic() > end:
                break
        return found

    def names(self) -> list[str]:
        """All shares in files that smbd offers, or does not because they have no path. The first
        time there may be some among them that Samba makes itself, as IPC$."""
        self.refresh()
        names = self._library.loaded_names().items()
        listed = [name for number, name in names if self._is_listed(number)]
        return [name for name in listed if name not in self._of_samba]

    def usershares(self) -> list[str]:
        """Names under which users may have defined shares."""
        return usershares.names(self.defaults)

    def registry(self) -> ConfigSource:
        """Samba's registry, once `refresh` has found out where it is. Raises: RegistryError."""
        if self._registry is None:
            self._registry = ConfigSource(self._library, "registry:")
        return self._registry

    def close(self) -> None:
        if self._registry is not None:
            self._registry.close()

    def registry_changed_by_us(self, before: int, after: int) -> bool:
        """A transaction of fsrvpd moved the registry's counter. Returns whether what is kept stays
        valid: it does not if somebody else had moved the counter before."""
        if self.version.sequence != before:
            return False
        self.version = self.version._replace(sequence=after)
        return True

    def forget(self, name: str) -> None:
        self._cache.pop(normal_share(name), None)

    def _load(self, config_file: str) -> None:
        """Each file is stamped before it is read, so that a change in between is noticed next time.
        Samba's registry can be opened only when smb.conf says where it is."""
        of_registry: list[str] = []

        def ask_later(section: str) -> list[str]:
            of_registry.append(section)
            return []

        found = per_client.read(config_file, ask_later, self._library.expand)
        stamps = {each.path: each for each in found.files}
        if not self._library.load(config_file):
            fault = smb_conf_faults.find(config_file, self._library.refusal, self._library.expand)
            raise RegistryError(smb_conf_faults.unreadable(config_file, fault))
        self.config_file = config_file
        self.defaults = Defaults(testparm.sections(self._library.globals())["global"])
        if of_registry:
            found = per_client.read(config_file, self._registry_includes, self._library.expand)
            stamps = {**{each.path: each for each in found.files}, **stamps}
        self._stamps = {**stamps, **self._stamps}
        self.version = self._with_registry(ConfigVersion((*self._stamps.values(),), "", -1))
        everywhere = (
            self._per_client.everywhere  # in the file that led to this one
            or found.everywhere
            or per_client.of_config_file(self.defaults["config file"])
        )
        self._per_client = found._replace(everywhere=everywhere)

    def _registry_includes(self, section: str) -> list[str]:
        registry = self.registry()
        return registry.includes(section) if registry.exists(section) else []

    def _with_registry(self, version: ConfigVersion) -> ConfigVersion:
        """No share of the registry is loaded yet, so its counter can be read now. A cluster keeps
        the registry in a database of ctdb, without a counter here."""
        if is_yes(self.defaults["clustering"]):
            return version
        registry = os.path.join(self.defaults["state directory"], "registry.tdb")
        return version._replace(
            registry=registry, sequence=self._change_detector.sequence(registry)
        )

    def _try_to_find(self, name: str) -> Found:
        try:
            return self._find(name)
        except RegistryError as error:
            return error

    def _find(self, name: str) -> Optional[Definition]:
        key = normal_share(name)
        if key not in self._cache:
            definition = self._look_up(name)
            if definition is None:
                return None
            if len(self._cache) >= _MAX_CACHED_SHARES:
                self._cache.clear()
            self._cache[key] = definition
        return self._cache[key]

    def _look_up(self, name: str) -> Optional[Definition]:
        name = as_read(name, charset_of(self.defaults))
        number = self._number(name)
        if number is not None:
            return self._definition(self._library.loaded_share(number), from_registry=False)
        if self._library.registry_shares_enabled() and self.registry().exists(name):
            printed = self._library.registry_share(name)
            return None if printed is None else self._definition(printed, from_registry=True)
        return usershares.find(name, self.defaults)

    def _number(self, name: str) -> Optional[int]:
        """Of a share in a file. A later one of the same name comes first for Samba, too."""
        if self._numbers is None:
            expand, names = self._library.expand, self._library.loaded_names().items()
            self._numbers = {
                normal_share(expand(known) if "%" in known else known): number
                for number, known in names
            }
        return self._numbers.get(normal_share(name))

    def _is_listed(self, number: int) -> bool:
        if self._library.is_offered(number):
            return True
        printed = self._library.loaded_share(number)  # empty with `-valid = no`
        return bool(printed) and "\n\tpath = " not in printed

    def _definition(self, printed: str, *, from_registry: bool) -> Optional[Definition]:
        for name, section in testparm.sections(printed).items():
            if _is_ipc(section):
                self._of_samba.add(name)
                return None
            path = section.get("path", "")
            if "%" in path and not _NOT_OF_THE_SERVER.search(path):
                section["path"] = self._library.expand(path)
            reason = self._reason(name, section, from_registry=from_registry)
            return Definition(name, section, self.defaults, from_registry, reason)
        return None

    def _reason(self, name: str, section: testparm.Parameters, *, from_registry: bool) -> str:
        """Why it depends on the client. The registry can add an include to a share in a file."""
        known = self._per_client
        reason = known.everywhere if from_registry else known.reason(name)
        if reason or "include" not in section or not self._library.registry_shares_enabled():
            return reason
        expand = self._library.expand
        return per_client.of_registry_share(name, self._registry_includes, expand).reason(name)


def _is_ipc(section: testparm.Parameters) -> bool:
    """IPC$ and ADMIN$, which Samba creates itself, contain no files."""
    return section.get("fstype") == "IPC"
